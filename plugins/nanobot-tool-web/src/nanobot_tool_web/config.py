"""The section ``tools.web``, and what the sections of search engines have in common."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from nanobot.config import ConfigModel, PluginConfig, Secret
from pydantic import AfterValidator, Field


def _check(value: str | None, schemes: tuple[str, ...], example: str) -> str | None:
    try:
        parts = urlsplit(value or "")
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if value and not good:
        raise ValueError(f"must be a URL such as {example}")
    return value or None


def _check_base(value: str | None) -> str | None:
    return _check(value, ("http", "https"), "https://search.example")


def _check_proxy(value: str | None) -> str | None:
    schemes = ("http", "https", "socks5", "socks5h")
    return _check(value, schemes, "http://127.0.0.1:3128 or socks5://127.0.0.1:1080")


BaseUrl = Annotated[str | None, AfterValidator(_check_base)]
ProxyUrl = Annotated[str | None, AfterValidator(_check_proxy)]


class EngineConfig(PluginConfig):
    """The section of a search engine, ``search.<name>``."""

    api_key: Secret | None = Field(
        default=None, description="The engine's key; `${VAR}` reads it from the environment."
    )
    base_url: BaseUrl = Field(default=None, description="Base URL in place of the engine's own.")
    proxy: ProxyUrl = Field(default=None, description="Proxy URL for this engine.")


class SearchConfig(ConfigModel):
    """How ``web_search`` works."""

    provider: str = Field(
        default="duckduckgo", description="The engine to search with; empty means `brave`."
    )
    api_key: Secret | None = Field(
        default=None, description="Key of the chosen engine, when its own section has none."
    )
    base_url: BaseUrl = Field(
        default=None, description="Base URL of the chosen engine, when its own section has none."
    )
    max_results: int = Field(
        default=5, ge=1, le=10, description="Results of a search that asks for no number."
    )
    timeout: int = Field(default=30, ge=1, le=120, description="Seconds for a search.")


class FetchConfig(ConfigModel):
    """How ``web_fetch`` works."""

    use_jina_reader: bool = Field(
        default=True,
        description="Let a remote reader such as Jina's read public pages, which tells it their "
        "addresses; `false` reads everything on this machine.",
    )


class WebConfig(PluginConfig):
    """The section ``tools.web``."""

    proxy: ProxyUrl = Field(
        default=None, description="Proxy URL for searching and fetching; it looks names up."
    )
    user_agent: str | None = Field(
        default=None, description="What `web_fetch` calls itself, in place of its own name."
    )
    search: SearchConfig = Field(default=SearchConfig(), description="How `web_search` works.")
    fetch: FetchConfig = Field(default=FetchConfig(), description="How `web_fetch` works.")
