"""Files to load, and plugins that have sections in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from nanobot.admin import Config, load
from nanobot.config import ConfigModel, PluginConfig, Secret
from nanobot.specs import ProviderSpec, Spec, ToolSpec
from pydantic import Field, field_validator


class ExecConfig(PluginConfig):
    timeout: int = Field(60, ge=0, description="Seconds.")
    sandbox: Literal["auto", "bwrap", "landlock", ""] = Field("auto", description="Sandbox.")
    allowed_env_keys: list[str] = Field(default_factory=list, description="Variables.")


class Peer(ConfigModel):
    chat_id: str = Field(description="Chat.")
    pin_code: Secret | None = Field(default=None, description="Code.")


class TelegramConfig(PluginConfig):
    enabled: bool = Field(default=False, description="Switch it on.")
    token: Secret = Field(description="Token.")
    host: str = Field(default="127.0.0.1", description="Address.")
    allow_from: list[str] = Field(default_factory=list, description="Who may write.")
    peers: dict[str, Peer] = Field(default_factory=dict, description="Peers.")
    reply: Peer | None = Field(default=None, description="Reply.")

    @field_validator("host")
    @classmethod
    def _closed(cls, value: str) -> str:
        if value != "127.0.0.1":
            raise ValueError(f"{value} is open")
        return value


def spec(kind: type[Spec], name: str, **more: Any) -> Any:
    return kind(name=name, factory="nowhere:open_it", **more)


@pytest.fixture
def specs() -> dict[str, list[Spec]]:
    """What an instance with a few plugins has."""
    return {
        "providers": [
            spec(ProviderSpec, "openai"),
            spec(ProviderSpec, "azure_openai"),
            spec(ProviderSpec, "custom", adopts=True),
        ],
        "channels": [spec(Spec, "telegram", config=TelegramConfig)],
        "tools": [spec(ToolSpec, "exec", config=ExecConfig)],
        "services": [spec(Spec, "heartbeat", section="gateway.heartbeat")],
    }


@pytest.fixture
def by_name(specs: dict[str, list[Spec]]) -> dict[str, Spec]:
    return {item.name: item for offered in specs.values() for item in offered}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the configuration file is, in a folder that holds nothing else."""
    folder = tmp_path / "instance"
    folder.mkdir()
    return folder / "config.json"


@pytest.fixture
def loaded(path: Path) -> Callable[..., Config]:
    """Write a document with mode 0600 and load it."""

    def write_and_load(
        document: Mapping[str, Any] | str, *, environ: Mapping[str, str] | None = None
    ) -> Config:
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        path.chmod(0o600)
        return load(path, environ=environ or {})

    return write_and_load
