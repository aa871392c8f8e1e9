"""OrcaRouter's models for nanobot."""
