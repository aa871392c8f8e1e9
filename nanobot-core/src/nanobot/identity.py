"""Who speaks, where, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Who caused a message."""

    USER = "user"
    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    AGENT = "agent"
    SYSTEM = "system"


class Role(StrEnum):
    """What a principal may do; `allows` compares."""

    GUEST = "guest"
    USER = "user"
    OWNER = "owner"

    def allows(self, needed: Role) -> bool:
        """Tell whether this role includes the needed one."""
        order = (Role.GUEST, Role.USER, Role.OWNER)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who speaks: a stable identity on one account of one channel, and its role.

    Args:
        channel: Channel name, such as ``cli`` or ``feishu``.
        account: Account of the channel on which the message came in.
        user: The platform's stable user id, never a display name.
        role: What this user may do.
    """

    channel: str
    user: str
    account: str = "default"
    role: Role = Role.GUEST


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a message comes from or goes to: one chat, perhaps one thread in it."""

    channel: str
    chat: str
    account: str = "default"
    thread: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """On whose behalf sessions and memory are used; every such call takes one."""

    principal: Principal
    session_key: str
