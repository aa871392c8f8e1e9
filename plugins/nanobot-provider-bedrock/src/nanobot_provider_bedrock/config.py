"""The section ``providers.bedrock``."""

from __future__ import annotations

from nanobot.config import ProviderConfig
from pydantic import Field


class BedrockConfig(ProviderConfig):
    """How to reach Amazon Bedrock."""

    region: str | None = Field(
        default=None,
        description="AWS region; without it `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's "
        "own counts.",
    )
    profile: str | None = Field(
        default=None,
        description="Profile of the AWS configuration files whose credentials are used when no "
        "key is set; without it AWS's usual search applies.",
    )
    prompt_caching: bool = Field(
        default=True, description="Mark cache points for models that know them."
    )
