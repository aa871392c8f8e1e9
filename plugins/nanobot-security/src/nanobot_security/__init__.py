"""Guards: the only ways for tools to reach the disk and the network."""

from nanobot_security._batch import Batch
from nanobot_security._records import Entry, Opened, Stat
from nanobot_security.disk import Disk

__all__ = ["Batch", "Disk", "Entry", "Opened", "Stat"]
