"""Base classes for configuration: what a plugin's section looks like, and how a secret is kept."""

from __future__ import annotations

import hmac
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema


class Secret:
    """A value that never shows itself: ``str``, ``repr`` and JSON give ``***``.

    Args:
        value: The secret text; read it with `reveal`, as late as possible.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret text, for the line that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        from_text = core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(strict=True)
        )
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_text]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda secret: "***"),
        )


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
