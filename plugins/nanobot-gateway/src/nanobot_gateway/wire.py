"""Messages as the store keeps them: JSON, with pictures in files beside it."""

from __future__ import annotations

import hashlib
import json
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

from nanobot_gateway.channel import Outgoing

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

    def inbound(self, message: Inbound, answers: str, agent: str) -> bytes:
        """Encode a message that came in.

        Args:
            answers: The platform's id of it.
            agent: Name of the agent that answers it.

        Raises:
            StorageError: A picture could not be written.
        """
        return _dump(
            {
                "id": message.id,
                "session": message.session_key,
                "channel": message.principal.channel,
                "account": message.principal.account,
                "user": message.principal.user,
                "role": str(message.principal.role),
                "target": _target(message.target),
                "parts": [self._part(part) for part in message.parts],
                "at": message.received_at.isoformat(),
                "origin": str(message.origin),
                "reply_to": message.reply_to,
                "answers": answers,
                "agent": agent,
            }
        )

    def read_inbound(self, payload: bytes) -> tuple[Inbound, str, str]:
        """Decode a message that came in, the platform's id of it, and who answers it."""
        data = json.loads(payload)
        message = Inbound(
            id=data["id"],
            session_key=data["session"],
            principal=Principal(
                channel=data["channel"],
                account=data["account"],
                user=data["user"],
                role=Role(data["role"]),
            ),
            target=Target(**data["target"]),
            parts=tuple(self._read_part(part) for part in data["parts"]),
            received_at=datetime.fromisoformat(data["at"]),
            origin=Origin(data["origin"]),
            reply_to=data["reply_to"],
            stored=True,
        )
        return message, data["answers"], data.get("agent", "")

    def _part(self, part: Part) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"text": part.text, "trust": str(part.trust)}
        if isinstance(part, File):
            fields = {"path": part.path, "type": part.media_type, "name": part.name}
            return {**fields, "trust": str(part.trust)}
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
            "trust": str(part.trust),
        }

    def _read_part(self, data: dict[str, Any]) -> Part:
        trust = Trust(data["trust"])
        if "text" in data:
            return Text(text=data["text"], trust=trust)
        if "path" in data:
            return File(path=data["path"], media_type=data["type"], name=data["name"], trust=trust)
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
                "id": message.id,
                "target": _target(message.target),
                "text": message.text,
                "files": [str(path) for path in message.files],
                "buttons": message.buttons,
                "reply_to": message.reply_to,
                "answers": message.answers,
                "shown": message.shown,
            }
        )

    @staticmethod
    def read_outgoing(payload: bytes) -> Outgoing:
        """Decode a message to deliver."""
        data = json.loads(payload)
        data["target"] = Target(**data["target"])
        data["files"] = tuple(map(Path, data["files"]))
        data["buttons"] = tuple(tuple(row) for row in data["buttons"])
        return Outgoing(**data)


def _target(target: Target) -> dict[str, str]:
    return {
        "channel": target.channel,
        "chat": target.chat,
        "account": target.account,
        "thread": target.thread,
    }


def _dump(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
