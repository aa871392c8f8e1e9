"""Which mails are no letters to the agent: what machines send, lists, bounces, its own mails.

An agent that answers those can end in a loop with another machine (RFC 3834).
"""

from __future__ import annotations

from collections.abc import Collection

from nanobot_channel_email.reading import Head

_PRECEDENCES = {"bulk", "junk", "list", "auto_reply", "auto-reply"}
_LISTS = ("List-Id", "List-Post", "List-Unsubscribe", "List-Help", "Mailing-List")
_MACHINES = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply", "X-Loop")
_DAEMON = "mailer-daemon@"


def objection(head: Head, author: str, own: Collection[str]) -> str:
    """Return why a mail must not be answered, empty when it may be.

    Args:
        author: The address in From.
        own: Addresses of the agent itself.
    """
    submitted = head.first("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return "an automatic mail"
    if head.first("Precedence").strip().lower() in _PRECEDENCES:
        return "a bulk mail"
    if any(head.first(name) for name in _LISTS):
        return "a mailing list"
    if any(head.first(name) for name in _MACHINES):
        return "an automatic answer"
    returns_to_nobody = head.first("Return-Path").strip() == "<>"
    if returns_to_nobody or author.startswith(_DAEMON) or head.content_type == "multipart/report":
        return "a report about a delivery"
    if author in own:
        return "a mail of its own"
    return ""
