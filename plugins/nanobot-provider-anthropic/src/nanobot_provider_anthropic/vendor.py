"""What a vendor of the Messages API does its own way, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from nanobot.errors import PluginError
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True, config=ConfigDict(extra="forbid"))
class Vendor:
    """A vendor of the Messages API; the defaults describe Anthropic itself.

    Args:
        title: What people call it, for messages.
        base_url: Where it listens.
        env_keys: Environment variables that hold its key, for messages.
        keys_page: Where keys are made, for messages.
        billing_page: Where credit is added, for messages.
        replay_thinking: Which thinking goes back with the history: only ``signed`` blocks, ``all``
            of the same model, or ``required`` if an answer with tool calls must have some.
    """

    title: str = "Anthropic"
    base_url: str = "https://api.anthropic.com"
    env_keys: tuple[str, ...] = ("ANTHROPIC_API_KEY",)
    keys_page: str = "https://platform.claude.com/settings/keys"
    billing_page: str = "https://platform.claude.com/settings/billing"
    replay_thinking: Literal["signed", "all", "required"] = "signed"

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, plugin: str = "") -> Vendor:
        """Read a spec's options.

        Raises:
            PluginError: An option is unknown or of the wrong type; names it.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(options))
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise PluginError(
                f"the vendor record of {plugin or 'a provider'} is wrong: {faults}",
                plugin=plugin,
                remedy="Correct the options of its ProviderSpec; the fields are those of "
                "nanobot_provider_anthropic.vendor.Vendor.",
            ) from None
