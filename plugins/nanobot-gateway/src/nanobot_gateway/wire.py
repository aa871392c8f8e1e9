"""Messages as the store keeps them: JSON, with pictures in files beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from nanobot.errors import StorageError
from nanobot.messages import (
    File,
    Image,
    Inbound,
    Origin,
    Part,
    Principal,
    Role,
    Target,
    Text,
    Trust,
)
from nanobot.paths import write_private
from nanobot.profile import Profile

from nanobot_gateway.channel import Outgoing
from nanobot_gateway.store import InboxRow, OutboxRow

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What reading raises when the bytes are not those that were written."""


class Codec:
    """Encodes and decodes messages.

    Args:
        blobs: Folder for the bytes of pictures, each named by its hash.
    """

    def __init__(self, blobs: Path) -> None:
        self._blobs = blobs

    # --- in -------------------------------------------------------------------------------------

    def inbound(self, message: Inbound, answers: str, profile: Profile | None = None) -> bytes:
        """Encode a message that came in.

        Args:
            answers: The platform's id of it.
            profile: Who answers it.

        Raises:
            StorageError: A picture could not be written.
        """
        who = message.principal
        data = {
            **_target(message.target),
            "user": who.user,
            "role": str(who.role),
            "parts": [self._part(part) for part in message.parts],
            "at": message.received_at.isoformat(),
            "origin": _unless(str(message.origin), str(Origin.USER)),
            "reply_to": message.reply_to,
            "answers": answers,
            "parent": message.parent,
            "profile": _profile(profile) if profile else None,
            "from": _unless([who.channel, who.account], _lane(message.target)),
        }
        return _dump(data)

    def read_inbound(self, row: InboxRow) -> tuple[Inbound, str, Profile | None]:
        """Decode a message that came in, the platform's id of it, and who answers it."""
        data = json.loads(row.payload)
        target = _read_target(data)
        channel, account = data.get("from") or _lane(target)
        message = Inbound(
            id=row.id,
            session_key=row.session_key,
            principal=Principal(
                channel=channel, account=account, user=data["user"], role=Role(data["role"])
            ),
            target=target,
            parts=tuple(self._read_part(part) for part in data.get("parts", ())),
            received_at=datetime.fromisoformat(data["at"]),
            origin=Origin(data.get("origin", Origin.USER)),
            reply_to=data.get("reply_to", ""),
            stored=True,
            parent=data.get("parent", ""),
        )
        given = data.get("profile")
        return message, data.get("answers", ""), _read_profile(given) if given else None

    def _part(self, part: Part) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"text": part.text, **_trust(part, Trust.TRUSTED)}
        if isinstance(part, File):
            fields = {"path": part.path, "type": part.media_type, "name": part.name}
            return {**fields, **_trust(part, Trust.UNTRUSTED)}
        digest = hashlib.sha256(part.data).hexdigest()
        path = self._blobs / digest
        if not path.exists():
            try:
                write_private(path, part.data)
            except OSError as error:
                raise StorageError(f"a picture can not be stored: {error.strerror}") from None
        return {
            "image": digest,
            "type": part.media_type,
            "name": part.name,
            **_trust(part, Trust.TRUSTED),
        }

    def _read_part(self, data: dict[str, Any]) -> Part:
        if "path" in data:
            trust = Trust(data.get("trust", Trust.UNTRUSTED))
            return File(path=data["path"], media_type=data["type"], name=data["name"], trust=trust)
        trust = Trust(data.get("trust", Trust.TRUSTED))
        if "text" in data:
            return Text(text=data["text"], trust=trust)
        try:
            content = (self._blobs / data["image"]).read_bytes()
        except OSError:
            return Text(text=f"[a picture that is lost: {data['name'] or data['type']}]")
        return Image(data=content, media_type=data["type"], name=data["name"], trust=trust)

    # --- out ------------------------------------------------------------------------------------

    @staticmethod
    def outgoing(message: Outgoing) -> bytes:
        """Encode a message to deliver."""
        return _dump(
            {
                **_target(message.target),
                "text": message.text,
                "files": [str(path) for path in message.files],
                "buttons": message.buttons,
                "reply_to": message.reply_to,
                "answers": message.answers,
                "shown": message.shown,
            }
        )

    @staticmethod
    def read_outgoing(row: OutboxRow) -> Outgoing:
        """Decode a message to deliver."""
        data = json.loads(row.payload)
        return Outgoing(
            id=row.id,
            target=_read_target(data),
            text=data.get("text", ""),
            files=tuple(map(Path, data.get("files", ()))),
            buttons=tuple(tuple(labels) for labels in data.get("buttons", ())),
            reply_to=data.get("reply_to", ""),
            answers=data.get("answers", ""),
            shown=data.get("shown", False),
        )


def _profile(profile: Profile) -> dict[str, Any]:
    data = {field.name: getattr(profile, field.name) for field in fields(profile)}
    data["workspace"] = str(profile.workspace) if profile.workspace else None
    return {key: value for key, value in data.items() if value}


def _read_profile(data: dict[str, Any]) -> Profile:
    workspace = data.get("workspace")
    return Profile(
        name=data.get("name", ""),
        preset=data.get("preset", ""),
        tools=tuple(data.get("tools", ())),
        instructions=data.get("instructions", ""),
        skills=tuple(data.get("skills", ())),
        workspace=Path(workspace) if workspace else None,
        max_iterations=data.get("max_iterations"),
    )


def _trust(part: Part, usual: Trust) -> dict[str, str]:
    return {} if part.trust is usual else {"trust": str(part.trust)}


def _lane(target: Target) -> list[str]:
    return [target.channel, target.account]


def _target(target: Target) -> dict[str, str]:
    return {
        "channel": target.channel,
        "chat": target.chat,
        "account": _unless(target.account, "default"),
        "thread": target.thread,
    }


def _read_target(data: dict[str, Any]) -> Target:
    return Target(
        channel=data["channel"],
        chat=data["chat"],
        account=data.get("account", "default"),
        thread=data.get("thread", ""),
    )


def _unless(value: Any, usual: Any) -> Any:
    """Return a value, or nothing where it is the usual one, which need not be written."""
    return "" if value == usual else value


def _dump(data: dict[str, Any]) -> bytes:
    """Encode what is not empty: every turn waits until some of these are on the disk."""
    written = {key: value for key, value in data.items() if value or key in ("chat", "user")}
    return json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
