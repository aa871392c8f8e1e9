"""Speech to text by StepFun."""
