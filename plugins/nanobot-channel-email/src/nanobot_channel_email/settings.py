"""Turns a section into what the connections need, and refuses what can not work or is not safe."""

from __future__ import annotations

import ipaddress
import ssl

from nanobot.errors import ConfigError

from nanobot_channel_email.config import EmailConfig
from nanobot_channel_email.connection import Address, Encryption
from nanobot_channel_email.identity import canonical, is_address
from nanobot_channel_email.mailbox import TAKEN, Account, Disposal
from nanobot_channel_email.submission import Submission


def checked(config: EmailConfig, section: str) -> None:
    """Refuse a section that can not be used.

    Raises:
        ConfigError: Something is missing; names the setting.
    """
    if not config.consent_granted:
        raise ConfigError(
            "the owner of the mailbox has not agreed that nanobot reads and answers its mail",
            remedy=f"Set {section}.consentGranted to true if you own it or may say so.",
        )
    needed = {
        "imapHost": config.imap_host,
        "imapUsername": config.imap_username,
        "imapPassword": config.imap_password and config.imap_password.reveal(),
        "smtpHost": config.smtp_host,
    }
    if config.smtp_username:
        needed["smtpPassword"] = config.smtp_password and config.smtp_password.reveal()
    if config.post_action == "move":
        needed["postActionMoveMailbox"] = config.post_action_move_mailbox
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ConfigError(
            f"{section} lacks {', '.join(missing)}",
            remedy=f"Set {', '.join(f'{section}.{name}' for name in missing)}.",
        )
    if (config.verify_dkim or config.verify_spf) and not config.authserv_id:
        raise ConfigError(
            "senders can not be verified without the name of the server that does it",
            remedy=f"Set {section}.authservId to the first word of the topmost "
            "Authentication-Results header in a mail that you received (mx.google.com at Gmail). "
            "If your server writes none, set verifyDkim and verifySpf to false: then anybody can "
            "write in the name of anybody.",
        )


def sender_of(config: EmailConfig, section: str) -> str:
    """Return the address that answers come from."""
    for address in (config.from_address, config.smtp_username, config.imap_username):
        if is_address(address):
            return address
        if config.from_address:
            break
    raise ConfigError(
        "there is no address to answer from",
        remedy=f"Set {section}.fromAddress to the address of the mailbox, such as bot@example.org.",
    )


def own_addresses(config: EmailConfig) -> frozenset[str]:
    """Return the addresses of the agent itself."""
    names = (config.from_address, config.smtp_username, config.imap_username)
    return frozenset(canonical(name) for name in names if name)


def account_of(config: EmailConfig, section: str) -> Account:
    """Return the mailbox.

    Raises:
        ConfigError: Its connection would not be protected.
    """
    if config.imap_use_ssl or config.imap_port == 993:
        encryption = Encryption.TLS
    elif config.imap_use_tls or config.imap_port == 143:
        encryption = Encryption.STARTTLS
    else:
        encryption = Encryption.NONE
        _refuse_in_the_clear(config.imap_host, section, "imapUseSsl or imapUseTls")
    password = config.imap_password
    return Account(
        address=_address(config, config.imap_host, config.imap_port, encryption, section),
        username=config.imap_username,
        password=lambda: password.reveal() if password else "",
        mailbox=config.imap_mailbox,
        mark="\\Seen" if config.mark_seen else TAKEN,
        section=section,
    )


def submission_of(config: EmailConfig, section: str) -> Submission:
    """Return where answers are handed over.

    Raises:
        ConfigError: A password would be sent in the clear.
    """
    if config.smtp_use_ssl or config.smtp_port == 465:
        encryption = Encryption.TLS
    elif config.smtp_use_tls or config.smtp_port == 587:
        encryption = Encryption.STARTTLS
    else:
        encryption = Encryption.NONE
        _refuse_in_the_clear(config.smtp_host, section, "smtpUseTls or smtpUseSsl")
    password = config.smtp_password
    return Submission(
        address=_address(config, config.smtp_host, config.smtp_port, encryption, section),
        username=config.smtp_username,
        password=lambda: password.reveal() if password else "",
        sender=sender_of(config, section),
        section=section,
    )


def disposal_of(config: EmailConfig) -> Disposal:
    """Return what becomes of a mail."""
    return Disposal(
        action=config.post_action,
        folder=config.post_action_move_mailbox or "",
        expunge=config.post_action_expunge,
    )


def _address(
    config: EmailConfig, host: str, port: int, encryption: Encryption, section: str
) -> Address:
    tls = ssl.create_default_context()
    if config.tls_ca_file:
        try:
            tls.load_verify_locations(cafile=config.tls_ca_file)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigError(
                f"the certificates in {config.tls_ca_file} can not be read: {error}",
                remedy=f"Set {section}.tlsCaFile to a PEM file, or remove it.",
            ) from None
    return Address(host=host, port=port, encryption=encryption, tls=tls)


def _refuse_in_the_clear(host: str, section: str, keys: str) -> None:
    """Allow a connection without protection only where nobody else can listen."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host.lower() == "localhost"
    if not local:
        raise ConfigError(
            f"mails and passwords would go to {host} in the clear",
            remedy=f"Set {section}.{keys.replace(' or ', f' or {section}.')} to true.",
        )
