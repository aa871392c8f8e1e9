"""Service definitions: what they say, and that every path survives being written into them."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.errors import ConfigError
from nanobot_gateway.cli.units import (
    Launch,
    gateway_command,
    launch_agent,
    search_path,
    service_name,
    systemd_unit,
)

relaxed = settings(deadline=None)  # a busy machine is no defect
awkward = st.text(
    st.one_of(st.sampled_from(" \"'\\%$;#{}~*"), st.characters(exclude_categories=["Cc", "Cs"]))
)
NASTY = ["a b", 'say "x"', "it's", "back\\slash\\", "100%h", "$HOME ${HOME}", "", ";", "-é 中", "#"]


def launch(*arguments: str, program: str = "/usr/bin/python3", search: str = "/bin") -> Launch:
    return Launch(command=[program, *arguments], about=Path("/home/me/c.json"), search=search)


def entries(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def read_words(line: str) -> list[str]:
    """Read words as systemd.syntax(7) says: quotes, backslashes, then specifiers."""
    words, rest = [], line
    while rest:
        assert rest[0] == '"', rest
        found = re.match(r'"((?:[^"\\]|\\["\\])*)"(?: |$)', rest)
        assert found, rest
        assert "%" not in found[1].replace("%%", ""), "a specifier would be replaced"
        words.append(re.sub(r'\\(["\\])', r"\1", found[1]).replace("%%", "%"))
        rest = rest[found.end() :]
    return words


def read_variables(word: str) -> str:
    """Replace variables in an argument as systemd does when none is set."""
    assert "$" not in word.replace("$$", "")
    return word.replace("$$", "$")


# --- systemd ------------------------------------------------------------------------------------


def test_a_unit_restarts_on_failure_and_is_private() -> None:
    unit = systemd_unit(launch("-m", "nanobot"))
    assert entries(unit, "ExecStart") == ['"/usr/bin/python3" "-m" "nanobot"']
    assert entries(unit, "Restart") == ["on-failure"]
    assert entries(unit, "RestartSec") == ["10"]
    assert entries(unit, "UMask") == ["0077"]
    assert entries(unit, "NoNewPrivileges") == ["yes"]
    assert entries(unit, "KillMode") == ["mixed"], "tools must not be killed before their turn ends"
    assert entries(unit, "WantedBy") == ["default.target"]
    assert entries(unit, "Description") == ["nanobot gateway (/home/me/c.json)"]


@relaxed
@given(st.lists(awkward, max_size=5))
def test_systemd_gets_every_argument_back(arguments: list[str]) -> None:
    unit = systemd_unit(launch(*arguments))
    program, *words = read_words(entries(unit, "ExecStart")[0])
    assert program == "/usr/bin/python3"
    assert [read_variables(word) for word in words] == arguments


@relaxed
@given(awkward)
def test_systemd_gets_the_search_path_back(search: str) -> None:
    unit = systemd_unit(launch(search=search))
    assert read_words(entries(unit, "Environment")[0]) == [f"PATH={search}"]


@relaxed
@given(awkward.filter(lambda name: not set("\"'\\") & set(name)))
def test_variables_in_the_path_of_the_program_stay(name: str) -> None:
    unit = systemd_unit(launch(program=f"/opt/{name}/python"))
    assert read_words(entries(unit, "ExecStart")[0]) == [f"/opt/{name}/python"]


@relaxed
@given(awkward, st.characters(categories=["Cc", "Cs"]), awkward)
def test_what_a_line_can_not_hold_is_refused(before: str, bad: str, after: str) -> None:
    word = before + bad + after
    for made in (launch(word), launch(search=word), launch(program=f"/bin/{word}")):
        with pytest.raises(ConfigError):
            systemd_unit(made)
        with pytest.raises(ConfigError, match="line breaks"):
            launch_agent(made, label="l", log=Path("/log"))
    with pytest.raises(ConfigError, match="line breaks"):
        launch_agent(launch(), label="l", log=Path(f"/{word}"))
    with pytest.raises(ConfigError, match="line breaks"):
        systemd_unit(Launch(command=["/bin/true"], about=Path(f"/{word}"), search=""))


@pytest.mark.parametrize("name", ['py"thon', "py'thon", "py\\thon"])
def test_a_program_that_systemd_can_not_run_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="quotes and backslashes are not allowed") as refused:
        systemd_unit(launch(program=f"/opt/{name}"))
    assert "environment" in refused.value.remedy


@relaxed
@given(awkward)
def test_no_path_adds_a_line_to_a_unit(name: str) -> None:
    about = Path(f"/{name}/c.json".replace("//", "/"))
    unit = systemd_unit(Launch(command=["/bin/true", name], about=about, search=name))
    plain = systemd_unit(Launch(command=["/bin/true", ""], about=Path("/c.json"), search=""))
    keys = [line.partition("=")[0] for line in unit.split("\n")]
    assert keys == [line.partition("=")[0] for line in plain.split("\n")]
    assert not any(line.endswith("\\") for line in unit.split("\n")), "it would go on"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_a_unit(tmp_path: Path) -> None:
    program = tmp_path / "a $b %c é" / "python"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    path = tmp_path / "nanobot-gateway.service"
    text = systemd_unit(
        Launch(command=[str(program), *NASTY], about=Path("/x %h/c\\.json"), search=":".join(NASTY))
    )
    path.write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr
    assert path.name not in checked.stderr


# --- launchd ------------------------------------------------------------------------------------


@relaxed
@given(st.lists(awkward, max_size=5), awkward)
def test_launchd_gets_everything_back(arguments: list[str], search: str) -> None:
    text = launch_agent(launch(*arguments, search=search), label="ai.nanobot.x", log=Path("/l/g"))
    assert plistlib.loads(text.encode()) == {
        "Label": "ai.nanobot.x",
        "ProgramArguments": ["/usr/bin/python3", *arguments],
        "EnvironmentVariables": {"PATH": search, "PYTHONUNBUFFERED": "1"},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 30,
        "Umask": 0o077,
        "StandardOutPath": "/l/g",
        "StandardErrorPath": "/l/g",
    }


# --- names and commands -------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_each_configuration_has_a_service_of_its_own(home: Path) -> None:
    names = [
        service_name(home / ".nanobot" / "config.json"),
        service_name(home / "work" / "config.json"),
        service_name(home / "work" / "other.json"),
        service_name(home / ".nanobot" / "other.json"),
    ]
    assert names[0] == "nanobot-gateway"
    assert all(re.fullmatch(r"nanobot-gateway-[0-9a-f]{8}", name) for name in names[1:])
    assert len(set(names)) == 4


def test_a_configuration_has_one_name_by_whatever_path(home: Path) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to(home / "real")
    names = {
        service_name(home / "real" / "c.json"),
        service_name(home / "link" / "c.json"),
        service_name(home / "real" / ".." / "real" / "c.json"),
    }
    assert len(names) == 1


def test_the_default_configuration_may_be_a_link(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "config.json").write_text("{}")
    (home / ".nanobot").mkdir()
    (home / ".nanobot" / "config.json").symlink_to(home / "dotfiles" / "config.json")
    assert service_name(home / ".nanobot" / "config.json") == "nanobot-gateway"
    assert service_name(home / "dotfiles" / "config.json") != "nanobot-gateway"


def test_the_command_does_not_depend_on_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nanobot.py").write_text("raise SystemExit('the wrong module')")
    command = gateway_command(Path("c.json"), Path("work"), ["--port", "1"])
    assert command == [
        *(sys.executable, "-P", "-m", "nanobot", "gateway"),
        *("-c", str(tmp_path / "c.json"), "-w", str(tmp_path / "work"), "--port", "1"),
    ]
    assert gateway_command(tmp_path / "c.json", None)[-2:] == ["-c", str(tmp_path / "c.json")]
    said = subprocess.run([*command[:5], "--help"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    assert "Run the gateway" in said.stdout


def test_the_search_path_keeps_what_does_not_depend_on_the_folder() -> None:
    assert search_path("/bin::.:bin:/usr/bin:") == "/bin:/usr/bin"
