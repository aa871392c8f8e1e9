"""Commands get harmless variables and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SECRET = "CANARY-ENV-88d1"
LOOK = "env; printenv; set; export -p; cat /proc/self/environ; cat /proc/$PPID/environ"


SECRETS = (
    *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY", "HF_TOKEN"),
    *("NANOBOT_PROVIDERS__OPENAI__API_KEY", "NANOBOT_TEST_KEY", "nanobot_key", "API_KEY_2"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN"),
    *("GH_TOKEN", "GITLAB_TOKEN", "NPM_TOKEN", "PYPI_PASSWORD", "DATABASE_URL", "PGPASSWORD"),
    *("SLACK_BOT_TOKEN", "TELEGRAM_BOT_TOKEN", "FEISHU_APP_SECRET", "SMTP_PASSWORD"),
    *("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "DISPLAY"),
    *("HTTPS_PROXY", "https_proxy", "LD_PRELOAD_KEY", "BASH_FUNC_x%%", "PYTHONPATH", "LCX"),
    *("HOME_TOKEN", "PATH_KEY", "USER_SECRET", "TERM_KEY", "LANGUAGE_KEY"),
)


def test_no_other_variable_is_seen(execute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, SECRET)
    result = execute(LOOK, max_output_chars=50_000)
    assert "PYTHONUNBUFFERED=1" in result.text
    assert SECRET not in result.text


@pytest.mark.parametrize("name", ["HOME", "LANG", "LC_TIME", "LOGNAME", "TERM", "TZ", "USER"])
def test_harmless_variables_are_seen(
    execute: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "C")
    assert execute(f"echo ${name}").text == "C\nExit code: 0"


def test_the_owner_can_allow_more(execute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPATH", "/go")
    assert execute("echo [$GOPATH]").text.startswith("[]")
    assert execute("echo [$GOPATH]", config={"allowedEnvKeys": ["GOPATH"]}).text.startswith("[/go]")


def test_path_is_extended_at_both_ends(execute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    config = {"pathPrepend": "/first:/second", "path_append": "/last; touch injected"}
    result = execute("echo $PATH", config=config)
    assert result.text.startswith("/first:/second:/usr/bin:/bin:/last; touch injected\n")


def test_a_program_of_a_prepended_folder_wins(execute: Any, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ls"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert execute("ls", config={"pathPrepend": str(program.parent)}).text.startswith("mine\n")


def test_without_path_the_usual_folders_are_searched(
    execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATH")
    assert execute("ls > /dev/null && echo found").text.startswith("found\n")
