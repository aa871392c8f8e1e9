"""What a vendor does its own way, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from nanobot.errors import PluginError
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

Thinking = Literal[
    "",
    "thinking_type",
    "thinking_adaptive",
    "enable_thinking",
    "chat_template",
    "reasoning_split",
    "openrouter",
]
Case = Literal[
    "auth",
    "quota",
    "rate_limit",
    "overload",
    "timeout",
    "context",
    "filtered",
    "malformed",
    "bad_request",
]


@dataclass(frozen=True, kw_only=True, slots=True, config=ConfigDict(extra="forbid"))
class Vendor:
    """A vendor of the chat dialect; the defaults describe one that follows OpenAI's own text.

    Bodies are patches in the sense of RFC 7396: merged deeply, and null removes a field. Patterns
    match whole tokens of a model id: ``o3`` is found in ``acme/o3-mini``, not in ``yolo3``; a
    pattern that starts with ``/`` is only found where a segment of the id starts.

    Args:
        base_url: Where it listens; empty when only the user can know.
        env_keys: Environment variables that hold its key, for messages.
        key_prefix: How all its keys begin, such as ``gsk_``; for the remedy when one is refused.
        needs_key: False for servers that take any key or none.
        local: True for servers on the user's own machine or network: no proxy, more patience.
        headers: Headers to send, such as an attribution.
        body: Patch for every request; ``messages`` can not be patched.
        tools_body: Patch for requests that carry tools.
        models: Patches by pattern, such as ``{"kimi-k2.5": {"temperature": None}}``.
        token_field: The field that limits the answer.
        thinking: How thinking is switched, beside ``reasoning_effort``. ``thinking_type`` sends
            ``thinking.type`` enabled or disabled, ``thinking_adaptive`` adaptive or disabled;
            ``chat_template`` sends ``chat_template_kwargs.enable_thinking``; ``openrouter`` sends
            ``reasoning.effort`` in place of ``reasoning_effort``.
        effort_map: Words that the vendor uses for nanobot's efforts; an empty word sends nothing.
        model_efforts: The same by pattern, for models that know other words; put before the
            vendor's own.
        aliases: What some model ids are called at the vendor, such as ``openrouter/auto`` for
            ``auto``, whose first segment names the provider and so never arrives.
        strip_prefixes: First segments of a model id to cut off; ``*`` cuts up to the last one.
        string_content_only: True when content must be a string, which leaves no way for pictures.
        picture_models: Patterns of models that take pictures nevertheless.
        replay_reasoning: What to do with reasoning in the history: ``keep`` sends it back,
            ``needed`` only to models that demand it, ``drop`` to none, and ``required_empty``
            sends an empty one where there was none.
        tool_id_style: ``nine`` when ids of tool calls must be nine letters or digits.
        signed_calls: True when tool calls carry ``extra_content`` that must go back (Gemini).
        stream_usage: False when ``stream_options`` is refused.
        cache_markers: Patterns of models that want ``cache_control`` marks (Claude by a gateway).
        cache_key_field: Body field for a key that routes cache hits, empty when there is none.
        cache_key_header: Header for the same key, which every request then carries.
        reasoning_is_answer: True when an answer may come in the reasoning field alone.
        error_codes: What the vendor's own error codes mean.
    """

    base_url: str = ""
    env_keys: tuple[str, ...] = ()
    key_prefix: str = ""
    needs_key: bool = True
    local: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    tools_body: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    token_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    thinking: Thinking = ""
    effort_map: Mapping[str, str] = field(default_factory=dict)
    model_efforts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    strip_prefixes: tuple[str, ...] = ()
    string_content_only: bool = False
    picture_models: tuple[str, ...] = ()
    replay_reasoning: Literal["keep", "needed", "drop", "required_empty"] = "keep"
    tool_id_style: Literal["any", "nine"] = "any"
    signed_calls: bool = False
    stream_usage: bool = True
    cache_markers: tuple[str, ...] = ()
    cache_key_field: str = ""
    cache_key_header: str = ""
    reasoning_is_answer: bool = False
    error_codes: Mapping[str, Case] = field(default_factory=dict)

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
                "nanobot_provider_compat.vendor.Vendor.",
            ) from None

    def model_id(self, model: str) -> str:
        """Return a model id as the vendor knows it."""
        first, slash, rest = model.partition("/")
        if "*" in self.strip_prefixes:
            model = model.rpartition("/")[2]
        elif slash and rest and first in self.strip_prefixes:
            model = rest
        return self.aliases.get(model, model)
