"""Pictures by StepFun."""
