"""Models on an OpenVINO Model Server for nanobot."""
