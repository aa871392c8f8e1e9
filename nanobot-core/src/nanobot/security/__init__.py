"""Guards: the only ways for tools to reach the disk and the network."""

from nanobot.security._records import Entry, Opened, Stat
from nanobot.security.workspace import Workspace

__all__ = ["Entry", "Opened", "Stat", "Workspace"]
