"""SiliconFlow's models for nanobot."""
