"""Base classes for configuration: what a plugin's section looks like, and how a secret is kept."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema


class Secret(SecretStr):
    """A value that never shows itself: ``str``, ``repr`` and JSON give ``***``.

    Args:
        value: The secret text; read it with `reveal`, as late as possible.
    """

    _inner_schema = core_schema.str_schema(strict=True)

    def reveal(self) -> str:
        """Return the secret text, for the line that sends it."""
        return self.get_secret_value()

    def _display(self) -> str:
        return "***"


class ConfigModel(BaseModel):
    """Base of every configuration object: camelCase or snake_case in, unknown keys refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        validate_default=False,
        hide_input_in_errors=True,
    )


class PluginConfig(ConfigModel):
    """Base of a plugin's configuration section. Describe every field: it becomes documentation."""

    enabled: bool = Field(default=True, description="Switch the plugin off without removing it.")

    @model_validator(mode="before")
    @classmethod
    def _accept_enable(cls, data: Any) -> Any:
        if isinstance(data, dict) and "enable" in data and "enabled" not in data:
            data = {("enabled" if key == "enable" else key): value for key, value in data.items()}
        return data


class ProviderConfig(PluginConfig):
    """The section of a model vendor; vendors with more settings subclass it."""

    api_key: Secret | None = Field(
        default=None, description="The vendor's key; `${VAR}` reads it from the environment."
    )
    api_keys: tuple[Secret, ...] = Field(
        default=(), description="More keys, for when the vendor limits one."
    )
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Most requests a minute with one key; null for no limit."
    )
    api_base: str | None = Field(default=None, description="Base URL in place of the vendor's own.")
    extra_headers: dict[str, str] = Field(
        default_factory=dict, description="HTTP headers to add to every request."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Fields to merge deeply into every request body."
    )
    extra_query: dict[str, str] = Field(
        default_factory=dict, description="Query parameters to add to every request."
    )
    proxy: str | None = Field(default=None, description="Proxy URL for this vendor.")
    display_name: str | None = Field(default=None, description="What the user calls it.")
