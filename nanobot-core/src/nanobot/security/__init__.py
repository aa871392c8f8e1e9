"""Guards: the only ways for tools to reach the disk and the network."""

from nanobot.security.workspace import Entry, Stat, Workspace

__all__ = ["Entry", "Stat", "Workspace"]
