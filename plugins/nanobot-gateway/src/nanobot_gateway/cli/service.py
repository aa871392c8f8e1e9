"""``nanobot gateway install`` and what goes with it: a gateway that the system keeps running."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
from nanobot.errors import NanobotError
from nanobot.paths import Instance, write_private

from nanobot_gateway.cli import units

if TYPE_CHECKING:
    from nanobot_gateway.cli.background import NotStarted

RUN_S = 60.0
"""Seconds that a command of the service manager may take; stopping waits for running turns."""
SHOWN_LINES = 20
_IN_WORDS = "Run it without a service manager: nanobot gateway start, or in a terminal: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Commands:
    """What the service manager is told, as lists of arguments.

    Args:
        register: Takes a written definition up, for this session and the next ones.
        start: Starts the service when it is stopped.
        stop: Ends it.
        remove: Forgets it, before the definition is deleted.
        forget: Forgets it, after the definition was deleted.
    """

    register: list[list[str]]
    start: list[list[str]]
    stop: list[list[str]]
    remove: list[list[str]] = field(default_factory=list)
    forget: list[list[str]] = field(default_factory=list)


class Service(ABC):
    """The service of one instance, whether it is installed or not.

    Args:
        name: Its name, of its own for each instance.
        log: The log of a gateway that has no other place for it.
    """

    hint = ""
    """What a person should know who has just installed it."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log

    @property
    def installed(self) -> bool:
        """Say if the service manager has been given a definition."""
        return self.path.exists()

    @property
    @abstractmethod
    def path(self) -> Path:
        """Return the file that defines it."""

    @property
    @abstractmethod
    def commands(self) -> Commands:
        """Return what the service manager is told."""

    @abstractmethod
    def text(self, launch: units.Launch) -> str:
        """Return the definition."""

    def start(self) -> None:
        """Start it; returns before it is ready."""
        _do_all(self.commands.start)

    def stop(self, instance: Instance) -> None:
        """Stop it, and wait until its gateway is gone."""
        _do_all(self.commands.stop)

    @abstractmethod
    def ended(self) -> bool:
        """Say if it was started and has failed."""

    @abstractmethod
    def last_lines(self, count: int) -> list[str]:
        """Return the end of its log."""

    @abstractmethod
    def follow(self, count: int) -> None:
        """Show the end of its log and what is added, until interrupted."""


class Systemd(Service):
    """A user unit of systemd."""

    hint = (
        "It ends when you log out, and starts when you log in. To keep it: loginctl enable-linger"
    )

    @property
    def path(self) -> Path:
        base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        base = base if base.is_absolute() else Path.home() / ".config"
        return base / "systemd" / "user" / self._unit

    @property
    def commands(self) -> Commands:
        systemctl = ["systemctl", "--user"]
        return Commands(
            register=[[*systemctl, "daemon-reload"], [*systemctl, "enable", self._unit]],
            start=[[*systemctl, "restart", self._unit]],
            stop=[[*systemctl, "stop", self._unit]],
            remove=[[*systemctl, "disable", self._unit]],
            forget=[[*systemctl, "daemon-reload"]],
        )

    @property
    def _unit(self) -> str:
        return f"{self.name}.service"

    def text(self, launch: units.Launch) -> str:
        return units.systemd_unit(launch)

    def ended(self) -> bool:
        asked = ["systemctl", "--user", "show", "-p", "ActiveState", "-p", "SubState", self._unit]
        state = dict(line.partition("=")[::2] for line in _do(asked).splitlines())
        waits = state.get("SubState", "").startswith("auto-restart")
        return waits or state.get("ActiveState") in ("failed", "inactive")

    def last_lines(self, count: int) -> list[str]:
        return _do([*self._journal(count), "--no-pager"]).splitlines()

    def follow(self, count: int) -> None:
        _become([*self._journal(count), "-f"])

    def _journal(self, count: int) -> list[str]:
        return ["journalctl", "--user", "-u", self._unit, "-n", str(count)]


class Launchd(Service):
    """A LaunchAgent of macOS."""

    hint = "It starts when you log in, and ends when you log out."

    @property
    def path(self) -> Path:
        return Path.home() / "Library" / "LaunchAgents" / f"{self._label}.plist"

    @property
    def commands(self) -> Commands:
        domain = f"gui/{os.getuid()}"
        target = f"{domain}/{self._label}"
        return Commands(
            register=[["launchctl", "enable", target]],
            start=[
                ["launchctl", "bootstrap", domain, str(self.path)],
                ["launchctl", "kickstart", target],
            ],
            stop=[["launchctl", "bootout", target]],
        )

    @property
    def _label(self) -> str:
        return f"ai.nanobot.{self.name.removeprefix('nanobot-')}"

    def text(self, launch: units.Launch) -> str:
        return units.launch_agent(launch, label=self._label, log=self.log)

    def start(self) -> None:
        from nanobot_gateway.cli import background

        background.open_log(self.log).close()  # launchd would let others read it
        self._unload()  # one that has ended by itself stays loaded, with its old definition
        super().start()

    def stop(self, instance: Instance) -> None:
        from nanobot_gateway.locking import holder

        pid = self._unload()
        # Another signal would end it at once: whoever asks next must find it gone.
        self._wait(lambda: str(holder(instance)) != pid)

    def ended(self) -> bool:
        job = self._job()
        return job is None or ("PID" not in job and job.get("LastExitStatus") not in (None, "0"))

    def last_lines(self, count: int) -> list[str]:
        from nanobot_gateway.cli import background

        return background.last_lines(self.log, count)

    def follow(self, count: int) -> None:
        _follow_file(self.log, count)

    def _unload(self) -> str:
        """Make launchd end and forget it, until the next start; return its pid, if it ran."""
        job = self._job()
        if job is None:
            return ""
        _do_all(self.commands.stop)
        self._wait(lambda: self._job() is None)
        return job.get("PID", "")

    def _job(self) -> dict[str, str] | None:
        """Return what launchd knows of it, None when it is not loaded."""
        listed = _run(["launchctl", "list", self._label])
        if listed.returncode:
            return None
        return dict(re.findall(r'^\s*"(\w+)" = "?(.*?)"?;$', listed.stdout, re.MULTILINE))

    def _wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + RUN_S
        while not done():
            if time.monotonic() > until:
                raise NanobotError(
                    f"the service {self.name} does not end",
                    remedy="See what it does: nanobot gateway logs",
                )
            time.sleep(0.1)


_SERVICES: dict[str, type[Service]] = {"Linux": Systemd, "Darwin": Launchd}


def service_of(config_path: Path) -> Service | None:
    """Return the service of an instance, None on a system whose services are not known."""
    kind = _SERVICES.get(platform.system())
    name = units.service_name(config_path)
    return kind(name, config_path.parent / "logs" / "gateway.log") if kind else None


def _supported(config_path: Path) -> Service:
    service = service_of(config_path)
    if service is None:
        raise NanobotError(
            f"unsupported_service_manager:{platform.system().lower() or 'unknown'}: a service can "
            "be installed on Linux (systemd) and on macOS (launchd)",
            remedy=f"{_IN_WORDS}nanobot gateway",
        )
    return service


# --- commands of the service manager ------------------------------------------------------------


def _do_all(commands: list[list[str]]) -> None:
    for words in commands:
        _do(words)


def _do(words: list[str]) -> str:
    """Run a command and return what it wrote.

    Raises:
        NanobotError: It failed.
    """
    done = _run(words)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise NanobotError(
            f"{shlex.join(words)} failed: {said}",
            remedy="Services belong to a user who is logged in: log in as that user, not through "
            f"su or sudo. {_IN_WORDS}nanobot gateway",
        )
    return done.stdout


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RUN_S,
        )
    except FileNotFoundError:
        raise _absent(words[0]) from None
    except subprocess.TimeoutExpired:
        raise NanobotError(
            f"{shlex.join(words)} did not end within {RUN_S:.0f} s",
            remedy="See how it fares: nanobot gateway status",
        ) from None


def _become(words: list[str]) -> None:
    """Replace this process by a command that runs until it is interrupted."""
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)  # noqa: S606 - a list of arguments
    except FileNotFoundError:
        raise _absent(words[0]) from None


def _absent(program: str) -> NanobotError:
    return NanobotError(
        f"{program} is not there: this system has no such service manager",
        remedy=f"{_IN_WORDS}nanobot gateway",
    )


def _follow_file(path: Path, count: int) -> None:
    from nanobot_gateway.cli import background

    try:
        for line in background.follow(path, count):
            click.echo(line)
    except KeyboardInterrupt:
        sys.exit(130)


# --- the commands -------------------------------------------------------------------------------


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be written and run; do nothing.")
@click.pass_context
def install(ctx: click.Context, dry_run: bool) -> None:
    """Make the gateway a service that starts with your session and after a failure.

    A systemd user unit on Linux, a LaunchAgent on macOS; each configuration file has its own. It
    runs with the options given before `install`: -w, --port, --logs, --json-logs. A gateway that
    runs for this configuration is stopped, and goes on as the service.
    """
    from nanobot.admin import load

    config_path, _ = ctx.obj
    service = _supported(config_path)
    launch = units.Launch(
        command=_command(ctx),
        about=config_path,
        search=units.search_path(os.environ.get("PATH", os.defpath)),
    )
    text = service.text(launch)
    if dry_run:
        click.echo(f"{service.path}:\n\n{text}")
        _show([*service.commands.register, *service.commands.start])
        return
    load(config_path)  # one that can not be used is told here, not in the service's log
    _register(service, text)
    _tell(f"installed {service.path}")
    _stop(ctx, service)
    _start(ctx, service)
    _tell(service.hint)
    _tell("It does not see the variables of this shell: keys belong into the configuration.")


def _register(service: Service, text: str) -> None:
    """Give the definition to the service manager; when it refuses, all is as it was."""
    path = service.path
    earlier = path.read_bytes() if path.exists() else None
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise NanobotError(f"{path} can not be written: {error.strerror}") from None
    try:
        _do_all(service.commands.register)
    except NanobotError:
        if earlier is None:
            path.unlink()
        else:
            write_private(path, earlier)
        raise


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted and run; do nothing.")
@click.pass_context
def uninstall(ctx: click.Context, dry_run: bool) -> None:
    """Stop the service and take it away; configuration, chats and logs stay."""
    config_path, _ = ctx.obj
    service = _supported(config_path)
    if not service.installed:
        _tell(f"no service is installed for {config_path}")
        return
    told = service.commands
    if dry_run:
        _show([*told.stop, *told.remove, ["rm", str(service.path)], *told.forget])
        return
    service.stop(_instance(ctx))
    _do_all(told.remove)
    with suppress(FileNotFoundError):
        service.path.unlink()
    _do_all(told.forget)
    _tell(f"uninstalled {service.path}")


@click.command()
@click.pass_context
def start(ctx: click.Context) -> None:
    """Start the gateway: as the service when it is installed, in the background otherwise.

    Returns when it is ready. Exit status: 0 when it runs, also if it did so before.
    """
    _start(ctx, service_of(ctx.obj[0]))


@click.command()
@click.pass_context
def stop(ctx: click.Context) -> None:
    """Stop the gateway that runs for this configuration, and wait until it is gone."""
    pid = _stop(ctx, service_of(ctx.obj[0]))
    if not pid:
        _tell("no gateway is running")


@click.command()
@click.pass_context
def restart(ctx: click.Context) -> None:
    """Stop the gateway, wait until it is gone, and start it."""
    service = service_of(ctx.obj[0])
    _stop(ctx, service)
    _start(ctx, service)


@click.command()
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Begin with so many lines.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl+C.")
@click.pass_context
def logs(ctx: click.Context, lines: int, follow: bool) -> None:
    """Show the log of the service, or of the gateway that was started in the background."""
    from nanobot_gateway.cli import background

    config_path, _ = ctx.obj
    service = service_of(config_path)
    path = background.log_path(config_path.parent)
    installed = service if service and service.installed else None
    if follow and installed:
        installed.follow(lines)
    elif follow:
        _follow_file(path, lines)
    else:
        shown = installed.last_lines(lines) if installed else background.last_lines(path, lines)
        click.echo("".join(f"{line}\n" for line in shown), nl=False)


COMMANDS = (install, uninstall, start, stop, restart, logs)


def _start(ctx: click.Context, service: Service | None) -> None:
    from nanobot_gateway.cli import background
    from nanobot_gateway.locking import holder

    instance = _instance(ctx)
    pid = holder(instance)
    if pid:
        _tell(f"the gateway runs already (pid {pid})")
    elif service and service.installed:
        earlier = background.stamp(instance.data)
        service.start()
        pid = background.await_ready(instance, earlier, service.ended)
        if not pid:
            raise _failed(service)
        _tell(f"the gateway runs (pid {pid}, service {service.name})")
    else:
        pid = background.start(instance, _command(ctx))
        _tell(f"the gateway runs in the background (pid {pid})")


def _failed(service: Service) -> NotStarted:
    from nanobot_gateway.cli import background

    try:
        lines = service.last_lines(SHOWN_LINES)
    except NanobotError as error:
        lines = [f"its log can not be shown: {error.message}"]
    how = f"service {service.name}, which tries again every {units.PAUSE_S} s"
    return background.not_started(how, lines)


def _stop(ctx: click.Context, service: Service | None) -> int:
    """Stop the service, and a gateway beside it; return the pid of what ran, 0 for nothing."""
    from nanobot_gateway.cli.process import stop as stop_process
    from nanobot_gateway.locking import holder

    pid = holder(_instance(ctx))
    if service and service.installed:
        service.stop(_instance(ctx))  # also when none runs: it may be about to start again
    pid = stop_process(*ctx.obj) or pid
    if pid:
        _tell(f"stopped (pid {pid})")
    return pid


def _instance(ctx: click.Context) -> Instance:
    """Return where the state is: beside the configuration, whatever is written in it."""
    config_path, workspace = ctx.obj
    return Instance(config=config_path, workspace=workspace or config_path.parent)


def _command(ctx: click.Context) -> list[str]:
    """Return the command that runs the gateway with the options of this one."""
    config_path, workspace = ctx.obj
    given = ctx.parent.params if ctx.parent else {}
    flags = [] if given.get("port") is None else ["--port", str(given["port"])]
    flags += [f"--{name.replace('_', '-')}" for name in ("logs", "json_logs") if given.get(name)]
    return units.gateway_command(config_path, workspace, flags)


def _show(commands: list[list[str]]) -> None:
    for words in commands:
        click.echo(shlex.join(words))


def _tell(line: str) -> None:
    click.echo(line, err=True)
