"""The section ``tools.mcpServers``: a map of names to servers, as other MCP clients have it."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from nanobot.config import ConfigModel, PluginConfig, Secret
from pydantic import ConfigDict, Field, field_validator, model_validator

_TYPES = {
    "stdio": "stdio",
    "sse": "sse",
    "http": "http",
    "streamablehttp": "http",
}
_SWITCHES = ("enabled", "enable")


class ServerConfig(ConfigModel):
    """One MCP server: a program to start, or an address to connect to."""

    enabled: bool = Field(default=True, description="`false` leaves the server out.")
    type: Literal["stdio", "sse", "http"] | None = Field(
        default=None,
        description="How to talk to it: `stdio`, `sse` or `http` (streamable HTTP; "
        "`streamableHttp` is read too, and `transport` for the key). When left out: `stdio` with "
        "`command`, `sse` with a `url` that ends in `/sse`, else `http`.",
    )
    command: str = Field(default="", description="Program to start, found through `PATH`.")
    args: list[str] = Field(default_factory=list, description="Its arguments.")
    env: dict[str, Secret] = Field(
        default_factory=dict,
        description="Environment variables for it, beside a few harmless ones; `${VAR}` reads "
        "one from nanobot's environment.",
    )
    cwd: str = Field(
        default="", description="Folder that it starts in; the home folder when left out."
    )
    url: str = Field(default="", description="Address of a server that runs elsewhere.")
    headers: dict[str, Secret] = Field(
        default_factory=dict, description="HTTP headers for every request to `url`."
    )
    proxy: str = Field(
        default="", description="Proxy URL for `url`; that of the environment is not read."
    )
    auth: Literal["oauth"] | None = Field(
        default=None,
        description="`oauth` for a server that people log in to; see `nanobot mcp login`.",
    )
    client_id: str = Field(
        default="", description="OAuth client that was registered by hand; else one is made."
    )
    client_secret: Secret | None = Field(default=None, description="Secret of that client.")
    scope: str = Field(default="", description="OAuth scopes to ask for, separated by spaces.")
    callback_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of this machine that the browser comes back to; 0 for any.",
    )
    tool_timeout: float = Field(
        default=30,
        gt=0,
        le=86_400,
        description="Seconds that a call may take, and that it waits for a server that starts.",
    )
    enabled_tools: list[str] = Field(
        default_factory=lambda: ["*"],
        description='What to offer: `["*"]` for all tools, resources and prompts; else names, as '
        "the server has them or as `mcp_<server>_<tool>`.",
    )
    trust: Literal["pin", "auto"] = Field(
        default="pin",
        description="`pin` offers what was there at first sight, and asks before anything that "
        "changes; `auto` takes changes as they come, and believes what the server says of its "
        "tools' effects.",
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_other_clients(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "transport" in data and "type" not in data:
            data["type"] = data.pop("transport")
        if isinstance(data.get("disabled"), bool) and "enabled" not in data:
            data["enabled"] = not data.pop("disabled")
        kind = data.get("type")
        if isinstance(kind, str):
            folded = kind.replace("-", "").replace("_", "").lower()
            data["type"] = _TYPES.get(folded, kind)
        return data

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError("should be an address that begins with http:// or https://")
        return url

    @field_validator("command", "cwd")
    @classmethod
    def _has_no_nul(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError("holds a NUL character")
        return text

    @model_validator(mode="after")
    def _is_one_server(self) -> ServerConfig:
        if bool(self.command) == bool(self.url):
            raise ValueError("needs either command or url" + (", not both" if self.url else ""))
        if self.type and (self.type == "stdio") != bool(self.command):
            needed = "command" if self.type == "stdio" else "url"
            raise ValueError(f"type {self.type} needs {needed}")
        if self.auth and not self.url:
            raise ValueError("auth needs url")
        return self

    @property
    def kind(self) -> Literal["stdio", "sse", "http"]:
        """Return how to talk to it."""
        if self.type:
            return self.type
        if self.command:
            return "stdio"
        return "sse" if urlsplit(self.url).path.rstrip("/").endswith("/sse") else "http"


def _as_written(schema: dict[str, Any]) -> None:
    """Describe the section as it stands in the file, for editors."""
    schema["additionalProperties"] = schema["properties"].pop("servers")["additionalProperties"]


class McpConfig(PluginConfig):
    """The servers; each stands under its own name, directly in the section."""

    model_config = ConfigDict(json_schema_extra=_as_written)

    servers: dict[str, ServerConfig] = Field(
        default_factory=dict,
        description="The servers by name. In the file they stand directly in the section, "
        "without this key.",
    )

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        # A server may be called "enabled" too; a server is an object, the switch is not.
        switches = {k: v for k, v in data.items() if k in _SWITCHES and not isinstance(v, dict)}
        servers = {k: v for k, v in data.items() if k not in switches}
        # Without a server there is nothing to open in any turn.
        return {**(switches or {"enabled": bool(servers)}), "servers": servers}
