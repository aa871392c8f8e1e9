"""One tool that hands work on to subagents."""
