"""Gets a price table from a file or an address, within bounds."""

from __future__ import annotations

from pathlib import Path

import httpx
from nanobot.errors import ConfigError

from nanobot_usage.prices import MAX_BYTES, Table, parse

_TIMEOUT_S = 20.0
_REDIRECTS = 3


def fetch(source: str) -> Table:
    """Return the price table that lies in a file or at an address.

    Raises:
        ConfigError: There is none, or it is too large.
    """
    if "://" not in source:
        return parse(_from_file(Path(source).expanduser()), source)
    if not source.startswith(("https://", "http://")):
        raise ConfigError(f"{source} is no address", remedy="Give an https address or a file.")
    try:
        return parse(_from_address(source), source)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"{source} can not be fetched: {error or type(error).__name__}",
            remedy="Check the address. Nothing was changed.",
        ) from None


def _from_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(str(path))
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can not be read: {error.strerror or error}") from None


def _from_address(address: str) -> bytes:
    with (
        httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True, max_redirects=_REDIRECTS) as client,
        client.stream("GET", address) as answer,
    ):
        answer.raise_for_status()
        data = b""
        for chunk in answer.iter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                raise _too_large(address)
        return data


def _too_large(source: str) -> ConfigError:
    return ConfigError(
        f"{source} is larger than {MAX_BYTES:,} bytes", remedy="Nothing was changed."
    )
