"""`nanobot plugins show`, and how a plugin may be named."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.config import ConfigModel, PluginConfig, Secret
from nanobot_cli_admin.show import settings
from pydantic import Field


@pytest.mark.parametrize("name", ["tools.lucky_dice", "lucky_dice", "lucky-dice", "luckyDice"])
def test_by_any_name(nanobot: Any, plugin_dir: Any, name: str) -> None:
    plugin_dir.add("tools.lucky_dice")
    assert nanobot("plugins", "show", name).stdout.startswith("tools.lucky_dice — The lucky_dice\n")


def test_by_distribution(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice")
    text = nanobot("plugins", "show", "nanobot-tool-dice").stdout
    assert "About dice." in text
    assert "distribution  nanobot-tool-dice 1.0" in text
    assert "needs         nanobot-core >=0.1,<0.2" in text
    assert "tool          dice_roll: Roll it.\n" in text
    assert "Settings, in section tools.dice:" in text
    assert "  sides: integer = 6\n      How many sides.\n" in text
    assert "  apiKey: secret or null = null\n      A key.\n" in text
    assert "  enabled: boolean = true\n" in text


def test_a_provider_tells_its_key(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("providers.acme")
    text = nanobot("plugins", "show", "acme").stdout
    assert "ACME_API_KEY" in text and "acme-1 unless another is configured" in text


def test_one_that_is_switched_off_can_be_looked_at(
    nanobot: Any, plugin_dir: Any, config: Any
) -> None:
    plugin_dir.add("tools.dice")
    config({"tools": {"dice": {"enabled": False}}})
    text = nanobot("plugins", "show", "dice").stdout
    assert "state         disabled" in text
    assert "nanobot plugins enable tools.dice" in text
    assert "sides: integer" in text


def test_one_that_is_broken_says_why(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.bad", "import acme_sdk\n")
    text = nanobot("plugins", "show", "bad").stdout
    assert "state         broken" in text
    assert "module 'acme_sdk' is not installed" in text
    assert "Settings" not in text


def test_a_command(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("cli.draw", "")
    assert "command       nanobot draw" in nanobot("plugins", "show", "cli.draw").stdout


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dise", "did you mean tools.dice?"),
        ("tools.dise", "did you mean tools.dice?"),
        ("nanobot-tool-dise", "did you mean tools.dice?"),
        ("channels.no_such_thing", "pip install nanobot-channel-no-such-thing"),
        ("qqqqqqqq", "nanobot plugins list"),
        ("x\x00/../;rm", "there is no plugin"),
    ],
)
def test_an_unknown_name(nanobot: Any, plugin_dir: Any, name: str, meant: str) -> None:
    plugin_dir.add("tools.dice")
    for action in ("show", "enable", "disable", "check", "uninstall"):
        result = nanobot("plugins", action, name, status=1)
        assert meant in result.stderr
        assert "Traceback" not in result.output


def test_a_name_of_two_kinds(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.acme")
    plugin_dir.add("providers.acme")
    result = nanobot("plugins", "show", "acme", status=1)
    assert "'acme' may mean providers.acme or tools.acme" in result.stderr
    assert nanobot("plugins", "show", "tools.acme").stdout.startswith("tools.acme")


class _Inner(ConfigModel):
    depth: int = Field(default=1, description="How deep.")


class _Model(PluginConfig):
    mode: bool | None = Field(default=None, description="On, off\nor neither.")
    names: list[str] = Field(default_factory=lambda: ["a"], description="Some.")
    headers: dict[str, str] = Field(default_factory=dict, description="Some.")
    token: Secret = Field(description="Must be given.")
    inner: _Inner = Field(default=_Inner(), description="More.")


def test_settings_of_every_shape() -> None:
    shown = {s.key: (s.type, s.default, s.description) for s in settings(_Model)}
    assert shown["mode"] == ("boolean or null", "null", "On, off or neither.")
    assert shown["names"] == ("list of string", '["a"]', "Some.")
    assert shown["headers"] == ("object of string", "{}", "Some.")
    assert shown["token"] == ("secret", "", "Must be given.")
    assert shown["inner"] == ("object", "", "More.")
    assert shown["inner.depth"] == ("integer", "1", "How deep.")


def test_a_tool_tells_what_it_may_do(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice")
    text = nanobot("plugins", "show", "dice").stdout
    assert (
        "touches exec; changes things; not run again after a crash; needs role guest; "
        "one at a time; at most 120 s\n" in text
    )
    assert "sandboxes     none is installed\n" in text
    plugin_dir.add("sandboxes.box", "")
    assert "sandboxes     box\n" in nanobot("plugins", "show", "tools.dice").stdout


def test_a_provider_tells_how_it_is_recognised(nanobot: Any, vendor: Any) -> None:
    vendor("acme")
    text = nanobot("plugins", "show", "acme").stdout
    assert "keys begin    acme-key-\n" in text and "addresses     acme.example\n" in text
