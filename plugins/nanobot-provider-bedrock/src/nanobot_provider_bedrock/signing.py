"""Where AWS is, and what authorises a request to it: a key, or a signature of its credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials, ReadOnlyCredentials  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from nanobot.errors import AuthError, ConfigError

from nanobot_provider_bedrock.config import BedrockConfig

_SERVICE = "bedrock"
_SIGNED_TYPE = "application/json"
REMEDY = (
    "Set providers.bedrock.apiKey or the environment variable AWS_BEARER_TOKEN_BEDROCK to a valid "
    "key, or check the AWS credentials with: aws sts get-caller-identity"
)


class Signer:
    """Signs requests with the credentials that AWS's usual search finds.

    botocore reads files and may ask servers for that, so it runs in a thread.

    Args:
        session: Finds the credentials.
        region: The region that is asked.
    """

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region
        self._credentials: Credentials | None = None

    async def headers(self, method: str, url: str, content: bytes) -> Mapping[str, str]:
        """Return the headers that authorise a request.

        Raises:
            AuthError: There are no credentials, or they can not be renewed.
        """
        found = await asyncio.to_thread(self._frozen)
        request = AWSRequest(
            method=method, url=url, data=content, headers={"content-type": _SIGNED_TYPE}
        )
        SigV4Auth(found, _SERVICE, self._region).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    def _frozen(self) -> ReadOnlyCredentials:
        """Return the credentials of this moment; renewed where they end."""
        try:
            if self._credentials is None:
                self._credentials = self._session.get_credentials()
            if self._credentials is not None:
                return self._credentials.get_frozen_credentials()
            why = "finds no AWS credentials"
        except (BotoCoreError, OSError) as fault:
            why = f"can not load its AWS credentials ({type(fault).__name__})"
        raise AuthError(f"Provider bedrock {why}", provider="bedrock", remedy=REMEDY)


async def find_session(config: BedrockConfig) -> tuple[Session, str]:
    """Return the session and the region for a section.

    Raises:
        ConfigError: There is no region, or no such profile.
    """
    return await asyncio.to_thread(_find, config)


def _find(config: BedrockConfig) -> tuple[Session, str]:
    try:
        session = Session(profile=config.profile)
        region = config.region or session.get_config_variable("region")
    except BotoCoreError as fault:
        raise ConfigError(
            f"providers.bedrock.profile can not be used ({type(fault).__name__})",
            remedy="Name a profile of ~/.aws/config, or remove the setting.",
        ) from None
    if region:
        return session, str(region)
    if config.api_base:
        return session, "us-east-1"  # who names the server names the region with it
    raise ConfigError(
        "Amazon Bedrock needs a region, and none is set",
        remedy="Set providers.bedrock.region or the environment variable AWS_REGION, such as "
        "us-east-1.",
    )
