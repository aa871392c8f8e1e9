"""`nanobot plugins install` and `uninstall`: the right command, run only when it is wanted."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from typing import Any

import pytest
from nanobot.errors import ConfigError, NanobotError
from nanobot_cli_admin import install


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record commands in place of running them, in an environment with pip."""
    found: list[list[str]] = []
    monkeypatch.setattr(install, "run", lambda arguments: found.append(arguments) or 0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return found


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("feishu", "nanobot-channel-feishu"),
        ("channels.feishu", "nanobot-channel-feishu"),
        ("channel.feishu", "nanobot-channel-feishu"),
        ("azure_openai", "nanobot-provider-azure-openai"),
        ("azureOpenai", "nanobot-provider-azure-openai"),
        ("providers.azureOpenai", "nanobot-provider-azure-openai"),
        ("search.brave", "nanobot-search-brave"),
        ("middleware.audit", "nanobot-middleware-audit"),
        ("cli.chat", "nanobot-cli-chat"),
        ("nanobot-tool-web", "nanobot-tool-web"),
        ("nanobot-tool-web==1.2", "nanobot-tool-web==1.2"),
        ("nanobot-tool-web>=1,<2", "nanobot-tool-web>=1,<2"),
    ],
)
def test_the_naming_law(name: str, distribution: str) -> None:
    assert install.requirement(name) == distribution


@pytest.mark.parametrize(
    "name",
    [
        *("", "feishuu", "a b", "../x", "nanobot-", "https://example.com/x.whl", "git+https://x"),
        *("-r", "--index-url=http://x", "nanobot-x -r y", "nanobot-x;rm -rf /"),
        "nanobot-x @ file:///x",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        install.requirement(name)


def test_a_misspelt_name_gets_a_hint(nanobot: Any, runs: list[list[str]]) -> None:
    result = nanobot("plugins", "install", "-y", "feishuu", status=1)
    assert "did you mean feishu?" in result.stderr
    assert not runs


def test_the_command_is_shown_and_asked_for(nanobot: Any, runs: list[list[str]]) -> None:
    expected = [sys.executable, "-m", "pip", "install", "nanobot-channel-feishu"]
    result = nanobot("plugins", "install", "feishu", stdin="n\n", status=1)
    assert shlex.join(expected) in result.stdout
    assert "Nothing was changed." in result.stderr and not runs
    nanobot("plugins", "install", "feishu", stdin="y\n")
    nanobot("plugins", "install", "feishu", "-y")
    assert runs == [expected, expected]


def test_no_answer_is_no(nanobot: Any, runs: list[list[str]]) -> None:
    nanobot("plugins", "install", "feishu", stdin="", status=1)
    assert not runs


def test_uninstall_by_id(nanobot: Any, plugin_dir: Any, runs: list[list[str]]) -> None:
    plugin_dir.add("tools.dice", distribution="acme-dice")
    nanobot("plugins", "uninstall", "tools.dice", "-y")
    assert runs == [[sys.executable, "-m", "pip", "uninstall", "-y", "acme-dice"]]


def test_a_command_that_fails_is_told(
    nanobot: Any, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "run", lambda arguments: 3)
    result = nanobot("plugins", "install", "feishu", "-y", status=1)
    assert "ended with status 3" in result.stderr


def test_uv_in_place_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/uv")
    here = ["--python", sys.executable]
    assert install.command("install", "x") == ["/bin/uv", "pip", "install", *here, "x"]
    assert install.command("uninstall", "x") == ["/bin/uv", "pip", "uninstall", *here, "x"]


def test_neither_pip_nor_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NanobotError, match="neither pip nor uv") as caught:
        install.command("install", "x")
    assert "ensurepip" in caught.value.remedy


def test_a_command_is_really_run() -> None:
    assert install.run([sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_what_was_installed_is_said(
    nanobot: Any, plugin_dir: Any, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "run", lambda arguments: plugin_dir.add("tools.dice") and 0)
    result = nanobot("plugins", "install", "tools.dice", "-y")
    assert "tools.dice is enabled." in result.stdout
    assert "nanobot plugins show tools.dice" in result.stdout


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("volcengine_coding_plan", "nanobot-provider-volcengine"),
        ("byteplusCodingPlan", "nanobot-provider-byteplus"),
        ("opencode-zen", "nanobot-provider-opencode"),
        ("providers.opencodeGo", "nanobot-provider-opencode"),
        ("landlock", "nanobot-sandbox-landlock"),
        ("spawn", "nanobot-tool-spawn"),
    ],
)
def test_plans_of_a_vendor_share_its_distribution(name: str, distribution: str) -> None:
    assert install.requirement(name) == distribution
