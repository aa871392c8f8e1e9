"""Where the server listens: a port or a Unix socket, with or without TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from pathlib import Path

from nanobot.errors import ConfigError
from nanobot.paths import private_dir

from nanobot_channel_websocket.config import WebSocketConfig


def bind_path(path: Path) -> socket.socket:
    """Return a Unix socket, mode 0600, that is bound but does not listen yet.

    Raises:
        OSError: Somebody listens there, or something else has that name.
    """
    private_dir(path.parent)
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "something else has that name")
        if _answers(path):
            raise OSError(errno.EADDRINUSE, "another program listens there")
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o600)  # nobody can connect before it listens
    except BaseException:
        made.close()
        raise
    return made


def unbind_path(path: str) -> None:
    """Remove a Unix socket."""
    Path(path).unlink(missing_ok=True)


def tls(config: WebSocketConfig, section: str) -> ssl.SSLContext | None:
    """Return the TLS settings, None without TLS.

    Args:
        section: Name of the section, for errors.

    Raises:
        ConfigError: The certificate or the key can not be used.
    """
    if not config.ssl_certfile:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.ssl_certfile, config.ssl_keyfile)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or type(error).__name__
        raise ConfigError(
            f"{section}.sslCertfile and sslKeyfile can not be used: {why}; "
            "name a certificate and the key that belongs to it, both as PEM"
        ) from None
    return context


def refused(config: WebSocketConfig, section: str, error: OSError) -> ConfigError:
    """Return in words why nothing can be listened on."""
    why = os.strerror(error.errno) if error.errno else str(error)
    if config.unix_socket_path:
        where = f"{section}.unixSocketPath: {config.unix_socket_path}"
        return ConfigError(f"{where} can not be made: {error.strerror or why}; set another path")
    where = f"{section}.port: port {config.port} on {config.host}"
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"{where} is in use; stop the other program or set another port")
    return ConfigError(f"{where} can not be listened on: {why}; set another port or host")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0
