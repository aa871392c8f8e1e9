"""The core's own commands, prompts and routing, offered through the hooks as a plugin's are."""
