"""Models on Hugging Face's Inference Providers for nanobot."""
