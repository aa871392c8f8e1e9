"""The shell tool: run a command, keep its output bounded, leave no process behind."""
