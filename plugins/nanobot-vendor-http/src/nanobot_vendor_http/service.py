"""What is particular to a vendor's API, as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field

from nanobot.log import remember_secret
from nanobot_provider_compat.vendor import Case, Vendor
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from nanobot_vendor_http.config import Credentials


@dataclass(frozen=True, kw_only=True, slots=True, config=ConfigDict(extra="forbid"))
class Service:
    """How a vendor's API is reached.

    Args:
        base_url: Its address.
        env_keys: Environment variables that hold its key, first one wins.
        env_bases: Environment variables that hold another address, first one wins.
        needs_key: False for servers that take any key or none.
        local: True for servers on the user's own machine or network: no proxy.
        key_header: Header for the key in place of ``authorization: Bearer KEY``; the key alone
            stands in it.
        cut: Ends of a configured ``apiBase`` that belong to another API of the vendor, such as
            ``/openai``.
        error_codes: What the vendor's own error codes mean.
        deadline_s: Seconds for one request.
        max_bytes: Longest answer.
    """

    base_url: str = ""
    env_keys: tuple[str, ...] = ()
    env_bases: tuple[str, ...] = ()
    needs_key: bool = True
    local: bool = False
    key_header: str = ""
    cut: tuple[str, ...] = ()
    error_codes: Mapping[str, Case] = field(default_factory=dict)
    deadline_s: float = 120.0
    max_bytes: int = 64 * 1024 * 1024

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Service:
        """Read the record under ``service`` in a spec's options."""
        return TypeAdapter(cls).validate_python(options.get("service", {}))

    @property
    def vendor(self) -> Vendor:
        """Return what the compat library wants to know of it."""
        return Vendor(
            base_url=self.base_url,
            env_keys=self.env_keys,
            needs_key=self.needs_key,
            local=self.local,
            error_codes=self.error_codes,
        )

    def complete(self, given: Credentials, environ: Mapping[str, str] = os.environ) -> Credentials:
        """Return credentials with what the environment adds, for this vendor's API."""
        found: dict[str, object] = {}
        base = given.api_base or _first(self.env_bases, environ)
        if base:
            base = base.strip().rstrip("/")
            for end in self.cut:
                base = base.removesuffix(end)
            found["api_base"] = base
        key = _first(self.env_keys, environ)
        if given.api_key is None and key:
            remember_secret(key)
            found |= Credentials.model_validate({"apiKey": key}).model_dump(include={"api_key"})
        return given.model_copy(update=found)


def _first(names: tuple[str, ...], environ: Mapping[str, str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")
