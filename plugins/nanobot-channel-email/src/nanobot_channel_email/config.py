"""Settings of the e-mail channel."""

from __future__ import annotations

from typing import Annotated, Literal

from nanobot.config import Secret
from nanobot_gateway.config import ChannelConfig, Ids
from pydantic import AfterValidator, Field

from nanobot_channel_email.identity import canonical


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(canonical(value.strip()) for value in values)


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("it must be one line without control characters")
    return value


Line = Annotated[str, AfterValidator(_line)]
Addresses = Annotated[Ids, AfterValidator(_lower)]
Port = Annotated[int, Field(ge=1, le=65535)]


class EmailConfig(ChannelConfig):
    """Section `channels.email`."""

    consent_granted: bool = Field(
        default=False,
        description="The owner of the mailbox agrees that nanobot reads it and answers from it; "
        "nothing connects without.",
    )
    allow_from: Addresses = Field(
        default=(), description="Addresses that may write to the agent; `*` lets everybody in."
    )
    owners: Addresses = Field(
        default=(), description="Addresses that may also use commands for owners; `*` for all."
    )

    imap_host: Line = Field(default="", description="The server that holds the mailbox.")
    imap_port: Port = Field(default=993, description="Its port.")
    imap_username: Line = Field(default="", description="The account's name there.")
    imap_password: Secret | None = Field(
        default=None, description="Its password; `${VAR}` reads an environment variable."
    )
    imap_mailbox: Line = Field(default="INBOX", description="The mailbox to read.")
    imap_use_ssl: bool = Field(default=True, description="Speak TLS from the first byte.")
    imap_use_tls: bool = Field(
        default=True, description="Otherwise begin with STARTTLS, which the server must offer then."
    )
    imap_idle: bool = Field(
        default=True, description="Let the server tell of new mail, where it can."
    )
    poll_interval_seconds: int = Field(
        default=30, ge=5, le=86400, description="Pause between two looks where it can not."
    )
    mark_seen: bool = Field(
        default=True,
        description="Mark what was taken as read; false uses the keyword `$NanobotTaken` instead.",
    )
    post_action: Literal["delete", "move"] | None = Field(
        default=None, description="What becomes of a mail that was taken."
    )
    post_action_move_mailbox: Line | None = Field(
        default=None, description="Where `move` moves it to; made when it is missing."
    )
    post_action_expunge: bool = Field(
        default=False,
        description="Remove deleted mail at once instead of only marking it as deleted.",
    )
    post_action_ignore_skipped: bool = Field(
        default=True, description="Leave mail that was not meant for the agent where it is."
    )

    smtp_host: Line = Field(default="", description="The server that takes answers.")
    smtp_port: Port = Field(default=587, description="Its port.")
    smtp_username: Line = Field(
        default="", description="The account's name there; empty: no login."
    )
    smtp_password: Secret | None = Field(
        default=None, description="Its password; `${VAR}` reads an environment variable."
    )
    smtp_use_tls: bool = Field(
        default=True, description="Begin with STARTTLS, which the server must offer then."
    )
    smtp_use_ssl: bool = Field(
        default=False, description="Speak TLS from the first byte; port 465 always does."
    )
    tls_ca_file: str | None = Field(
        default=None,
        description="PEM file of a further certificate authority, for servers of your own.",
    )

    from_address: Line = Field(
        default="", description="Address to answer from; else `smtpUsername`, else `imapUsername`."
    )
    auto_reply_enabled: bool = Field(
        default=True, description="Answer those who wrote; false sends only what is sent unasked."
    )
    subject_prefix: Line = Field(default="Re: ", description="What subjects of answers begin with.")
    session_per_thread: bool = Field(
        default=False, description="A session for each thread instead of one for each sender."
    )
    max_per_sender_per_hour: int = Field(
        default=30,
        ge=1,
        description="Mails of one sender to take in an hour; more wait in the mailbox.",
    )

    verify_dkim: bool = Field(
        default=True, description="Believe a sender only whose domain signed the mail (DKIM)."
    )
    verify_spf: bool = Field(
        default=True, description="Believe a sender only whose domain sent the mail (SPF)."
    )
    authserv_id: Line = Field(
        default="",
        description="Name by which your mail server signs its Authentication-Results; "
        "needed by the two above.",
    )

    max_body_chars: int = Field(
        default=12000, ge=1, description="Longest text to take from a mail, in characters."
    )
    allowed_attachment_types: tuple[str, ...] = Field(
        default=(), description="Types of attachments to take, such as `image/*`; empty: none."
    )
    max_attachment_size: int = Field(
        default=2_000_000,
        ge=0,
        le=50_000_000,
        description="Largest attachment, in bytes, both ways.",
    )
    max_attachments_per_email: int = Field(
        default=5, ge=0, le=50, description="Most attachments of one mail, both ways."
    )

    streaming: bool = Field(default=False, description="No effect: a mail is sent whole.")
    send_progress: bool | None = Field(
        default=False, description="Send what is said between tool calls, each in a mail."
    )
    send_tool_hints: bool | None = Field(
        default=False, description="Send which tools run, each in a mail."
    )
    show_reasoning: bool | None = Field(default=False, description="Show the model's reasoning.")
