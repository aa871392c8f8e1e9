"""What plugins of the kinds ``search`` and ``fetch`` offer, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.config import PluginConfig
from nanobot.specs import Spec

from nanobot_tool_web.config import EngineConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSpec(Spec):
    """A search engine; its factory opens a `nanobot_tool_web.engine.SearchEngine`."""

    config: type[PluginConfig] = EngineConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchSpec(Spec):
    """A reader of pages; its factory opens a `nanobot_tool_web.reader.Reader`.

    Args:
        remote: It gets the page by itself, from elsewhere, so the page's address leaves this
            machine. It is not used for addresses that carry a secret or are not public.
    """

    remote: bool = False
