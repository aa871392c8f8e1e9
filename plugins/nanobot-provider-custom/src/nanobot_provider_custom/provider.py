"""Opens an endpoint from its configuration alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_provider_compat.provider import ChatProvider, open_vendor
from nanobot_provider_compat.vendor import Vendor

from nanobot_provider_custom.config import CustomConfig


@asynccontextmanager
async def open_provider(
    config: CustomConfig, context: PluginContext
) -> AsyncIterator[ChatProvider]:
    """Open the endpoint that the section describes."""
    vendor = Vendor(needs_key=False, thinking=config.thinking_style or "")
    async with open_vendor(config, context, vendor) as provider:
        yield provider
