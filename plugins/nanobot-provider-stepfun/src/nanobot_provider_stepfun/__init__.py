"""StepFun's Step models for nanobot."""
