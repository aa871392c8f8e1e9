"""Names promised to users of the Python SDK: hooks into a run, and base classes for own tools."""

from nanobot.agent.hooks import AgentHook, AgentHookContext

__all__ = ["AgentHook", "AgentHookContext"]
