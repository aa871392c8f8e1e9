"""A gateway in the background and as a service, looked after from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from nanobot.errors import NanobotError, StorageError
from nanobot.paths import Instance
from nanobot_gateway.cli import background, service
from nanobot_gateway.cli.gateway import command as gateway
from nanobot_gateway.locking import held, holder

WAIT_S = 60

PROVIDER = """
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.specs import ProviderSpec


@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="standin",
            factory="nanobot_provider_standin:open_provider",
            default_model="s-1",
            needs_key=False,
            last_resort=True,
        )
    ]


class Provider:
    async def list_models(self):
        return []


@asynccontextmanager
async def open_provider(config, context):
    yield Provider()
"""

SUPERVISOR = '''#!{python}
"""systemctl, launchctl and journalctl: writes down how it is called, and runs one service."""
import fcntl, json, os, plistlib, shlex, signal, subprocess, sys
from pathlib import Path

here = Path(__file__).parent
alive, state = here / "alive", here / "state.json"


def held():
    with alive.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def run(command, log):
    file = alive.open("a")
    fcntl.flock(file, fcntl.LOCK_EX)
    with open(log, "a") as out:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, pass_fds=[file.fileno()],
        )
    state.write_text(json.dumps(child.pid))


def end():
    if held():
        os.kill(json.loads(state.read_text()), signal.SIGTERM)
        with alive.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def systemctl(verb, *words):
    unit = Path(os.environ["HOME"], ".config/systemd/user", words[-1] if words else "")
    if verb == "restart":
        end()
        line = next(x for x in unit.read_text().splitlines() if x.startswith("ExecStart="))
        words = shlex.split(line.removeprefix("ExecStart="))
        run([w.replace("%%", "%").replace("$$", "$") for w in words], here / "journal")
    elif verb == "stop":
        end()
    elif verb == "show":
        lives = held()
        print("ActiveState=" + ("active" if lives else "activating"))
        print("SubState=" + ("running" if lives else "auto-restart"))


def launchctl(verb, *words):
    loaded = here / "loaded"
    if verb == "bootstrap":
        loaded.write_text(words[1])
    if verb in ("bootstrap", "kickstart") and not held():
        agent = plistlib.loads(Path(loaded.read_text()).read_bytes())
        run(agent["ProgramArguments"], agent["StandardOutPath"])
    elif verb == "bootout":
        end()
        loaded.unlink()
    elif verb == "list":
        if not loaded.exists():
            sys.exit(113)
        pid = f'"PID" = {{state.read_text()}};' if held() else ""
        print('{{\\n\\t"LastExitStatus" = 256;\\n\\t' + pid + "\\n}};")


name, *words = Path(sys.argv[0]).name, *sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([name, *words]) + "\\n")
words = [word for word in words if word != "--user"]
refused = here / "refused"
if refused.exists() and refused.read_text() in words:
    sys.exit("it is not a good day")
if (here / "hangs").exists():
    signal.pause()
if name == "journalctl":
    lines = (here / "journal").read_text().splitlines()
    print("\\n".join(lines[-int(words[words.index("-n") + 1]) :]))
else:
    globals()[name](*words)
'''


@dataclass
class House:
    """A home folder with an instance, driven by its command line."""

    home: Path
    config: Path
    fakes: Path
    environment: dict[str, str]
    also: list[Path] = field(default_factory=list)

    def words(self, *arguments: str, config: Path | None = None) -> list[str]:
        at = ["-c", str(config or self.config)]
        return [sys.executable, "-m", "nanobot", "gateway", *at, *arguments]

    def __call__(
        self, *arguments: str, config: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own, and wait for it."""
        return subprocess.run(
            self.words(*arguments, config=config),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )

    def invoke(self, *arguments: str) -> Result:
        """Run a command in this process, which may be told another system."""
        return CliRunner().invoke(gateway, ["-c", str(self.config), *arguments])

    def write(self, config: Path, workspace: Path) -> Path:
        content = {
            "agents": {"defaults": {"workspace": str(workspace)}},
            "channels": {},
            "gateway": {"port": 0},
        }
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(content))
        config.chmod(0o600)
        self.also.append(config)
        return config

    @property
    def instance(self) -> Instance:
        return Instance(config=self.config, workspace=self.home / "work")

    @property
    def pid(self) -> int:
        """Return the pid of the gateway that runs, 0 for none."""
        return holder(self.instance)

    @property
    def log(self) -> Path:
        return background.log_path(self.config.parent)

    def calls(self) -> list[list[str]]:
        """Return what the service manager was asked since the last time, without questions."""
        path = self.fakes / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if not {"show", "list"} & set(call[:3])]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Return an instance in a home of its own, with nothing of the outer environment."""
    home, site, fakes = tmp_path / 'my "home" %h $x', tmp_path / "site", tmp_path / "fakes"
    for folder in (home, site, fakes):
        folder.mkdir()
    info = site / "nanobot_provider_standin-1.0.dist-info"
    info.mkdir()
    (site / "nanobot_provider_standin.py").write_text(PROVIDER)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nanobot-provider-standin\nVersion: 1.0\n"
        "Requires-Dist: nanobot-core>=0.1,<0.2\n\n"
    )
    (info / "entry_points.txt").write_text(
        "[nanobot.v1.providers]\nstandin = nanobot_provider_standin\n"
    )
    (info / "RECORD").write_text("")
    script = fakes / "supervisor"
    script.write_text(SUPERVISOR.format(python=sys.executable))
    script.chmod(0o700)
    for name in ("systemctl", "launchctl", "journalctl"):
        (fakes / name).symlink_to(script)
    for name in os.environ:
        if name.startswith(("NANOBOT_", "XDG_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(fakes))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("NANOBOT_PLUGINS", "kinds.gateway,stores.sqlite,providers.standin")
    monkeypatch.setattr(service.platform, "system", lambda: "Linux")
    made = House(home, home / ".nanobot" / "config.json", fakes, dict(os.environ))
    made.write(made.config, home / "work")
    yield made
    for config in made.also:
        if holder(Instance(config=config, workspace=home)):
            ended = made("stop", config=config)
            assert ended.returncode == 0, ended.stderr


@pytest.fixture(params=["Linux", "Darwin"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take one operating system after the other for the one that this is."""
    monkeypatch.setattr(service.platform, "system", lambda: request.param)
    return str(request.param)


def definition(house: House, system: str) -> Path:
    if system == "Darwin":
        return house.home / "Library" / "LaunchAgents" / "ai.nanobot.gateway.plist"
    return house.home / ".config" / "systemd" / "user" / "nanobot-gateway.service"


def refusal(result: Result) -> NanobotError:
    assert isinstance(result.exception, NanobotError), result.output
    return result.exception


# --- in the background --------------------------------------------------------------------------


def test_a_gateway_in_the_background_from_start_to_stop(house: House) -> None:
    assert house("status").returncode == 3

    started = house("start")
    first = house.pid
    assert started.returncode == 0, started.stderr
    assert f"in the background (pid {first})" in started.stderr
    assert os.getsid(first) == first, "a terminal that closes would end it"
    shown = house("status")
    assert (shown.returncode, f"pid {first}" in shown.stdout) == (0, True), shown.stdout

    again = house("start")
    assert (again.returncode, house.pid) == (0, first)
    assert f"runs already (pid {first})" in again.stderr

    restarted = house("restart")
    second = house.pid
    assert restarted.returncode == 0, restarted.stderr
    assert second not in (0, first)
    assert f"stopped (pid {first})" in restarted.stderr
    assert f"(pid {second})" in restarted.stderr

    assert house("logs", "-n", "1").stdout.count("\n") == 1
    said = house("logs").stdout
    assert said.index(f"runs (pid {first}") < said.index("stopping") < said.index(f"(pid {second}")
    assert (house.log.stat().st_mode & 0o777, house.log.parent.stat().st_mode & 0o777) == (
        0o600,
        0o700,
    )

    stopped = house("stop")
    assert (stopped.returncode, house.pid) == (0, 0)
    assert f"stopped (pid {second})" in stopped.stderr
    assert house("status").returncode == 3
    assert "no gateway is running" in house("stop").stderr
    assert not house.calls(), "no service is installed"


def test_restart_starts_a_gateway_when_none_runs(house: House) -> None:
    assert house("restart").returncode == 0
    assert house.pid


def test_a_gateway_that_does_not_come_up_says_why(house: House) -> None:
    house.log.parent.mkdir(mode=0o700)
    house.log.write_text("of an earlier start\n")
    house.config.write_text('{"agents": ')
    failed = house("start")
    house.write(house.config, house.home / "work")
    assert failed.returncode == 1
    assert "did not start (exit status 1)" in failed.stderr
    assert "config.json" in failed.stderr.split("it said:")[1]
    assert "earlier start" not in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_second_gateway_in_a_workspace_is_refused(house: House) -> None:
    other = house.write(house.home / "other" / "config.json", house.home / "work")
    assert house("start").returncode == 0
    failed = house("start", config=other)
    assert failed.returncode == 1
    assert f"another gateway is running (pid {house.pid}" in failed.stderr


def test_two_instances_run_beside_each_other(house: House) -> None:
    other = house.write(house.home / "other" / "config.json", house.home / "other" / "work")
    assert house("start").returncode == house("start", config=other).returncode == 0
    assert house("stop").returncode == 0
    assert house.pid == 0
    assert house("status", config=other).returncode == 0


def test_options_go_on_to_the_gateway_in_the_background(house: House) -> None:
    elsewhere = house.home / "elsewhere"
    started = house("-w", str(elsewhere), "--json-logs", "start")
    assert started.returncode == 0, started.stderr
    assert (elsewhere / ".nanobot" / "gateway.lock").exists()
    assert not (house.home / "work").exists()


# --- waiting until it is ready ------------------------------------------------------------------


def state(instance: Instance, pid: int, started_at: str) -> None:
    instance.data.joinpath("gateway-status.json").write_text(
        json.dumps({"pid": pid, "started_at": started_at})
    )


def test_ready_is_who_holds_the_lock_and_wrote_the_state(house: House) -> None:
    instance = house.instance
    state(instance, os.getpid(), "now")
    with held(instance):
        pid = background.await_ready(instance, (os.getpid(), "before"), lambda: False)
    assert pid == os.getpid()


def test_the_state_of_an_earlier_gateway_does_not_count(house: House) -> None:
    instance = house.instance
    state(instance, os.getpid(), "before")
    earlier = background.stamp(instance.data)
    with held(instance):
        assert background.await_ready(instance, earlier, lambda: True) == 0


def test_a_state_without_the_lock_does_not_count(house: House) -> None:
    state(house.instance, os.getpid(), "now")
    assert background.await_ready(house.instance, (0, ""), lambda: True) == 0


@pytest.mark.parametrize("content", ["", "[]", '{"pid": null, "started_at": 1}', '{"pid": 1}'])
def test_a_damaged_state_is_none(house: House, content: str) -> None:
    house.config.with_name("gateway-status.json").write_text(content)
    assert background.stamp(house.config.parent) == (0, "")


def test_waiting_for_a_gateway_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "START_S", 0.0)
    with pytest.raises(NanobotError, match="not ready after 0 s") as error:
        background.await_ready(house.instance, (0, ""), lambda: False)
    assert "nanobot gateway status" in error.value.remedy


# --- the log ------------------------------------------------------------------------------------


def write_log(path: Path, text: str) -> None:
    with background.open_log(path) as log:
        log.write(text.encode())


def test_a_long_log_is_put_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logs" / "gateway.log"
    monkeypatch.setattr(background, "LOG_BYTES", 5)
    for number in range(6):
        write_log(path, f"run {number}\n")
    found = {each.name: each.read_text() for each in path.parent.iterdir()}
    assert found == {
        "gateway.log": "run 5\n",
        "gateway.log.1": "run 4\n",
        "gateway.log.2": "run 3\n",
        "gateway.log.3": "run 2\n",
    }
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_a_short_log_is_added_to_and_made_private(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text("one\n")
    path.chmod(0o644)
    write_log(path, "two\n")
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["gateway.log"]


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "gateway.log").symlink_to(tmp_path / "target")
    with pytest.raises(StorageError, match=r"gateway\.log can not be written"):
        background.open_log(tmp_path / "gateway.log")
    assert (tmp_path / "target").read_text() == "precious"


def test_following_goes_on_in_the_next_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gateway.log"
    write_log(path, "one\ntwo\nthr")
    events: Iterator[Callable[[], object]] = iter(
        [
            lambda: write_log(path, "ee\n"),
            lambda: (path.rename(tmp_path / "old"), write_log(path, "four\n")),
            lambda: (path.write_text(""), path.write_text("5\n")),
        ]
    )
    monkeypatch.setattr(background.time, "sleep", lambda seconds: next(events)())
    lines = background.follow(path, 2)
    assert [next(lines) for _ in range(4)] == ["two", "three", "four", "5"]
    lines.close()


def test_following_shows_the_log_until_it_is_interrupted(house: House) -> None:
    write_log(house.log, "one\ntwo\n")
    with subprocess.Popen(
        house.words("logs", "-f", "-n", "1"),
        env=house.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "two\n"
        write_log(house.log, "three\n")
        assert process.stdout.readline() == "three\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130


@pytest.mark.parametrize("options", [[], ["-f"]])
def test_without_a_log_there_is_a_next_step(house: House, options: list[str]) -> None:
    error = refusal(house.invoke("logs", *options))
    assert "there is no log yet" in error.message
    assert "nanobot gateway start" in error.remedy


# --- as a service -------------------------------------------------------------------------------


def test_a_service_from_install_to_uninstall(house: House, system: str) -> None:
    path = definition(house, system)
    installed = house.invoke("install")
    first = house.pid
    assert installed.exit_code == 0, (installed.output, installed.exception)
    assert first
    assert f"pid {first}, service nanobot-gateway" in installed.output
    assert ("enable-linger" in installed.output) is (system == "Linux")
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"runs already (pid {first})" in house.invoke("start").output
    assert f"nanobot gateway runs (pid {first}" in house.invoke("logs").output

    assert house.invoke("restart").exit_code == 0
    second = house.pid
    assert second not in (0, first)

    stopped = house.invoke("stop")
    assert (stopped.exit_code, house.pid) == (0, 0)
    assert f"stopped (pid {second})" in stopped.output

    assert house.invoke("start").exit_code == 0
    assert house.pid
    gone = house.invoke("uninstall")
    assert (gone.exit_code, path.exists(), house.pid) == (0, False, 0), gone.output
    assert "no service is installed" in house.invoke("uninstall").output
    assert house.config.exists()


def test_what_systemd_is_asked(house: House) -> None:
    unit, ctl = "nanobot-gateway.service", ["systemctl", "--user"]
    house.invoke("install")
    assert house.calls() == [
        [*ctl, "daemon-reload"],
        [*ctl, "enable", unit],
        [*ctl, "stop", unit],
        [*ctl, "restart", unit],
    ]
    house.invoke("stop")
    assert house.calls() == [[*ctl, "stop", unit]]
    house.invoke("start")
    assert house.calls() == [[*ctl, "restart", unit]]
    house.invoke("logs", "-n", "7")
    assert house.calls() == [["journalctl", "--user", "-u", unit, "-n", "7", "--no-pager"]]
    house.invoke("uninstall")
    assert house.calls() == [
        [*ctl, "stop", unit],
        [*ctl, "disable", unit],
        [*ctl, "daemon-reload"],
    ]


def test_what_launchd_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.platform, "system", lambda: "Darwin")
    domain = f"gui/{os.getuid()}"
    agent = f"{domain}/ai.nanobot.gateway"
    begin = [
        ["launchctl", "bootstrap", domain, str(definition(house, "Darwin"))],
        ["launchctl", "kickstart", agent],
    ]
    house.invoke("install")
    assert house.calls() == [["launchctl", "enable", agent], *begin]
    house.invoke("restart")
    assert house.calls() == [["launchctl", "bootout", agent], *begin]
    assert house("stop").returncode == 0  # by its process: launchd keeps the agent loaded
    house.invoke("start")
    assert house.pid
    assert house.calls() == [["launchctl", "bootout", agent], *begin]
    house.invoke("uninstall")
    assert house.calls() == [["launchctl", "bootout", agent]]


def test_a_gateway_in_the_background_goes_on_as_the_service(house: House, system: str) -> None:
    assert house("start").returncode == 0
    before = house.pid
    installed = house.invoke("install")
    assert installed.exit_code == 0, installed.output
    assert f"stopped (pid {before})" in installed.output
    assert house.pid not in (0, before)


def test_a_service_that_does_not_come_up_says_why(
    house: House, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NANOBOT_PLUGINS", "kinds.gateway,stores.sqlite")
    error = refusal(house.invoke("install"))
    assert "tries again every 10 s" in error.message
    assert "no model is set up" in error.message
    assert definition(house, system).exists(), "it is started again once that is put right"


def test_an_unusable_configuration_is_told_before_anything_is_written(
    house: House, system: str
) -> None:
    house.config.write_text("{")
    assert "config.json" in refusal(house.invoke("install")).message
    house.write(house.config, house.home / "work")
    assert not definition(house, system).exists()
    assert not house.calls()


def test_a_refused_definition_is_taken_back(house: House, system: str) -> None:
    (house.fakes / "refused").write_text("enable")
    path = definition(house, system)
    error = refusal(house.invoke("install"))
    assert "it is not a good day" in error.message
    assert "nanobot gateway start" in error.remedy
    assert not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("of an earlier version")
    refusal(house.invoke("install"))
    assert path.read_text() == "of an earlier version"
    path.unlink()


def test_a_dry_run_shows_all_and_does_nothing(house: House, system: str) -> None:
    path = definition(house, system)
    shown = house.invoke("--json-logs", "install", "--dry-run")
    assert shown.exit_code == 0
    assert str(path) in shown.output
    assert "--json-logs" in shown.output
    last = shown.output.rstrip().splitlines()[-1]
    assert last == (
        "systemctl --user restart nanobot-gateway.service"
        if system == "Linux"
        else f"launchctl kickstart gui/{os.getuid()}/ai.nanobot.gateway"
    )
    assert not path.exists()
    assert not house.calls()
    house.invoke("install")
    house.calls()
    gone = house.invoke("uninstall", "--dry-run")
    assert (gone.exit_code, str(path) in gone.output) == (0, True)
    assert path.exists()
    assert house.pid
    assert not house.calls()


def test_following_the_journal(house: House) -> None:
    house.invoke("install")
    house.calls()
    assert house("logs", "-f", "-n", "2").returncode == 0
    assert house.calls() == [
        ["journalctl", "--user", "-u", "nanobot-gateway.service", "-n", "2", "-f"]
    ]


@pytest.mark.parametrize("arguments", [["install"], ["uninstall"]])
def test_an_unsupported_system_has_a_next_step(
    house: House, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(service.platform, "system", lambda: "FreeBSD")
    error = refusal(house.invoke(*arguments))
    assert error.message.startswith("unsupported_service_manager:freebsd: ")
    assert "nanobot gateway start" in error.remedy
    assert "no gateway is running" in house.invoke("stop").output


def test_a_system_without_its_service_manager_has_a_next_step(house: House, system: str) -> None:
    for name in ("systemctl", "launchctl"):
        (house.fakes / name).unlink()
    error = refusal(house.invoke("install"))
    assert "ctl is not there" in error.message
    assert "nanobot gateway start" in error.remedy
    assert not definition(house, system).exists()


def test_a_service_manager_that_hangs_is_given_up(
    house: House, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RUN_S", 0.5)
    (house.fakes / "hangs").touch()
    assert "did not end within" in refusal(house.invoke("install")).message
    (house.fakes / "hangs").unlink()
    assert not definition(house, system).exists()
