"""The SMTP server that takes answers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage

import aiosmtplib
from nanobot.errors import ConfigError
from nanobot_gateway.channel import DeliveryError

from nanobot_channel_email.connection import Address, Encryption
from nanobot_channel_email.identity import domain_of
from nanobot_channel_email.writing import flat

ANSWER_S = 20.0
"""Longest silence of the server."""
GOODBYE_S = 2.0
SEND_S = 50.0
"""Longest time for one mail; the gateway gives up after a minute."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Where answers are handed over; one connection a mail.

    Args:
        username: Name of the account, empty for no login.
        password: Its password, to be read once connected.
        sender: The address that mails come from.
        section: Path of the settings, for errors.
    """

    address: Address
    username: str
    password: Callable[[], str]
    sender: str
    section: str

    async def check(self) -> None:
        """Log in and out again.

        Raises:
            ConfigError: The server refuses the account.
            DeliveryError: It can not be told at the moment.
        """
        try:
            async with self._failures(), self._connected():
                pass
        except DeliveryError as error:
            if isinstance(error.__cause__, aiosmtplib.SMTPAuthenticationError) and not (
                error.retryable
            ):
                raise ConfigError(error.message, remedy=error.remedy) from None
            raise

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand a mail over.

        Raises:
            DeliveryError: The server did not take it.
        """
        async with self._failures(), self._connected() as server:
            options = [] if recipient.isascii() else ["SMTPUTF8"]
            if options and not server.supports_extension("smtputf8"):
                raise aiosmtplib.SMTPNotSupported("the server takes no address beyond ASCII")
            await server.sendmail(self.sender, recipient, flat(message), mail_options=options)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server = aiosmtplib.SMTP(
            hostname=self.address.host,
            port=self.address.port,
            local_hostname=domain_of(self.sender),
            timeout=ANSWER_S,
            use_tls=self.address.encryption is Encryption.TLS,
            start_tls=self.address.encryption is Encryption.STARTTLS,
            tls_context=self.address.tls,
        )
        try:
            async with asyncio.timeout(SEND_S):
                await server.connect()
                if self.username:
                    await server.login(self.username, self.password())
                yield server
            with suppress(aiosmtplib.SMTPException, OSError):  # all is done; this is politeness
                await server.quit(timeout=GOODBYE_S)
        finally:
            server.close()

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Say of every failure whether sending again may help: 4xx means yes, 5xx means no."""
        host = f"{self.address.host}:{self.address.port}"
        try:
            yield
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError(
                f"{host} refuses the login of {self.section}.smtpUsername ({error.code})",
                retryable=_is_passing(error.code),
                remedy=f"Check {self.section}.smtpPassword and smtpUsername.",
            ) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code if error.recipients else 550
            raise DeliveryError(
                f"{host} refuses the recipient ({code})", retryable=_is_passing(code)
            ) from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"{host} refuses the mail ({error.code})", retryable=_is_passing(error.code)
            ) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            if isinstance(error, OSError):  # what became of the connection
                raise DeliveryError(self._lost(host, error)) from None
            # The server lacks what the settings demand: STARTTLS, a login.
            raise DeliveryError(f"{host}: {error.message}", retryable=False) from None

    def _lost(self, host: str, error: BaseException) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return (
                    f"the certificate of {host} is not trusted: {cause.verify_message}; for a "
                    f"server of your own set {self.section}.tlsCaFile to its authority"
                )
            cause = cause.__cause__ or cause.__context__
        return f"{host} can not be reached: {str(error) or 'no answer'}"


def _is_passing(code: int) -> bool:
    return not 500 <= code <= 599
