"""Pictures by Zhipu AI."""
