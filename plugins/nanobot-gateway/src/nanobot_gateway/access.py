"""The one gate: who a message comes from, and whether they may talk to the agent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nanobot.errors import StorageError
from nanobot.messages import Principal, Role

from nanobot_gateway.channel import Incoming
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.pairing import PairingStore

EVERYBODY = "*"


class Entry(StrEnum):
    """What the gate decides."""

    ADMITTED = "admitted"
    DENIED = "denied"
    IGNORED = "ignored"
    STRANGER = "stranger"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the gate decided on a message.

    Args:
        entry: Admitted; denied without a word; none of the agent's business; or a stranger who
            wrote directly and may be offered a pairing code.
        principal: Who speaks; None unless admitted.
        reason: Why, for the log; names no code.
    """

    entry: Entry
    principal: Principal | None = None
    reason: str = ""


class Gate:
    """Decides on every event that a channel hands over.

    Args:
        pairing: Who was approved.
    """

    def __init__(self, pairing: PairingStore) -> None:
        self._pairing = pairing

    def decide(
        self, message: Incoming, channel: str, account: str, settings: ChannelConfig
    ) -> Decision:
        """Say whether a message may go on, and as whose.

        While it can not be read who was paired, those who are not listed are denied: a message
        that is refused to the channel instead would come again and again, before all others.
        """
        if not _is_id(message.sender) or not _is_id(message.chat):
            return Decision(entry=Entry.DENIED, reason="the platform does not say who wrote it")
        if not message.direct and not _addressed(message, settings):
            return Decision(entry=Entry.IGNORED, reason="not addressed in a group")
        ids = (message.sender, *filter(_is_id, message.aliases))
        try:
            role = self._role(ids, message, name_of(channel, account), settings)
        except StorageError as error:
            return Decision(entry=Entry.DENIED, reason=error.message)
        if role is not None:
            principal = Principal(channel=channel, account=account, user=message.sender, role=role)
            return Decision(entry=Entry.ADMITTED, principal=principal)
        reason = "not in allowFrom and not paired"
        if message.direct:
            return Decision(entry=Entry.STRANGER, reason=reason)
        return Decision(entry=Entry.DENIED, reason=reason)

    def _role(
        self, ids: tuple[str, ...], message: Incoming, name: str, settings: ChannelConfig
    ) -> Role | None:
        if _lists(settings.owners, ids):
            return Role.OWNER
        if _lists(tuple(e for e in settings.allow_from if e != EVERYBODY), ids):
            return Role.USER
        if EVERYBODY in settings.allow_from:
            return Role.USER if message.direct else Role.GUEST
        # The stable id alone: an alias may belong to somebody else tomorrow.
        return Role.USER if self._pairing.is_approved(name, ids[:1]) else None


def name_of(channel: str, account: str) -> str:
    """Return what a channel's account is called: ``telegram``, ``telegram.work``."""
    return channel if account == "default" else f"{channel}.{account}"


def _lists(listed: tuple[str, ...], ids: tuple[str, ...]) -> bool:
    """Tell whether a list names one of the ids; of an entry ``id|name`` only the id counts."""
    return EVERYBODY in listed or any(entry.partition("|")[0] in ids for entry in listed)


def _is_id(value: str) -> bool:
    """Tell whether a text can be an identity; `*` and blanks would match what nobody meant."""
    return bool(value) and value == value.strip() and value != EVERYBODY and value.isprintable()


def _addressed(message: Incoming, settings: ChannelConfig) -> bool:
    if settings.group_policy == "allowlist":
        return not {message.chat, *message.places}.isdisjoint(settings.group_allow_from)
    return settings.group_policy == "open" or message.mentioned
