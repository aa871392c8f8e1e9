"""The contract of sandboxes: a program in one tries to get out, in every way that is known.

The same attempts are made without a sandbox, where they must succeed: an attempt that always
fails would prove nothing. Needs ``/usr/bin/python3``, which every sandbox lets programs see.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from nanobot_testing.contracts import sandbox_probes
from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import load_spec, open_spec, run
from nanobot_testing.node import unavailable

T = TypeVar("T")

_CANARY = "CANARY-b52e07"
_PYTHON = "/usr/bin/python3"
_PROBES = Path(sandbox_probes.__file__).read_text()
_NOBODY = 65534
_NEEDED = ("concurrent.futures.thread", "nanobot_tool_exec.process", "nanobot_tool_exec.sandbox")
_specs: dict[str, Any] = {}

_USERS_RIGHT = frozenset({"reads_outside", "changes_a_file_outside", "connects_to_the_machine"})
"""What succeeds where a jail shows the user's files and lets into the network."""

_MAY_FOLLOW = frozenset(
    {
        *("adds_a_file_outside", "links_hard_to_outside", "reads_outside_through_a_link"),
        *("connects_to_a_socket_outside", "connects_to_an_abstract_socket"),
    }
)
"""What may come with these rights."""

_NEED_ROOT = frozenset(
    {
        *("changes_the_kernel", "has_rights", "makes_a_device", "mounts", "opens_a_disk"),
        *("opens_a_rare_socket", "traces_a_process", "types_into_a_terminal", "uses_bpf"),
    }
)
_NEED_LUCK = frozenset(
    {
        *("keeps_a_key_in_the_kernel", "makes_namespaces", "makes_namespaces_with_a_child"),
        *("makes_namespaces_with_a_child_in_the_new_way", "opens_a_disk", "serves_page_faults"),
        *("opens_a_rare_socket", "uses_bpf", "uses_io_uring"),
    }
)
"""What fails on some machines even without a sandbox."""

_WORKING = """
set -e
echo text > made; cat made; rm made; mkdir folder; mv folder other; rmdir other
echo gone > /dev/null; head -c 3 /dev/urandom | wc -c; cat <(echo substituted)
file=$(mktemp); echo temporary > "$file"; cat "$file"; rm "$file"
python3 -c 'import subprocess, sys; subprocess.run(["echo", "child"], check=True)'
"""
_WORKED = "text\n3\nsubstituted\ntemporary\nchild\n"

_LINGERING = """
trap '' TERM HUP; exec 3> alive
(setsid sleep 1000 &); sleep 1000 &
python3 -c 'import os, time
os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(1000)'
echo up >&3
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """What is around a sandbox: an instance, somebody's files, a process, servers.

    Args:
        server: Listens on the machine itself.
        facts: What the attempts are told.
    """

    root: Path
    server: socket.socket
    facts: Mapping[str, object]

    @property
    def workspace(self) -> Path:
        return self.root / "ws"

    @property
    def data(self) -> Path:
        return self.root / "home" / "data"

    def jail(self, *, everything: bool = False, network: bool = False) -> Any:
        """Return the jail of a program in the workspace."""
        return _sandbox().Jail(
            cwd=self.workspace,
            writable=(self.workspace,),
            hidden=(self.data, self.workspace / "sessions"),
            everything=everything,
            network=network,
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a program."""
        return {"PATH": os.defpath, "HOME": str(self.workspace), "LANG": "C.UTF-8"}

    def state(self, *folders: str) -> dict[str, str]:
        """Return the content of all files of some folders, by path."""
        files = [path for folder in folders for path in (self.root / folder).rglob("*")]
        return {str(path): path.read_text() for path in files if path.is_file()}

    def was_reached(self) -> bool:
        """Tell whether somebody connected to the server since the last time."""
        with suppress(BlockingIOError):
            self.server.accept()[0].close()
            return True
        return False


class SandboxContract(PluginContract):
    """Promises of a sandbox.

    Attributes:
        open_to: Attempts that it does not stop; its README says so.
        escapes: Commands that try to get out, or must run, each with ``id``, ``input`` and
            ``expected``: ``no_leak``, ``no_outside_change``, ``no_internal_connect`` or ``allow``.
    """

    open_to: ClassVar[frozenset[str]] = frozenset()
    escapes: ClassVar[Sequence[Mapping[str, str]]] = ()

    @pytest.fixture(params=["root", "user"])
    def identity(self, request: pytest.FixtureRequest) -> int:
        """Return whom to run as."""
        own = os.geteuid()
        if request.param == "root" and own:
            unavailable("only root can find out what root may do in it")
        return own or (_NOBODY if request.param == "user" else 0)

    @pytest.fixture
    def world(self, identity: int) -> Iterator[World]:
        with _world(identity) as world:
            yield world

    @asynccontextmanager
    async def opened(self, world: World) -> AsyncIterator[Any]:
        """Open the sandbox; does without the test where it can not work."""
        async with open_spec(self._spec(), self.config, world.root, plugin=self.plugin) as sandbox:
            if reason := await sandbox.available():
                unavailable(reason)
            yield sandbox

    def _spec(self) -> Any:
        """Return what the plugin offers, everything imported that it and the supervisor need.

        Another user may not be able to read the environment that these tests run in.
        """
        spec = _specs.get(self.plugin)
        if spec is None:
            spec = _specs[self.plugin] = load_spec(self.plugin)
            for module in (spec.factory.partition(":")[0], *_NEEDED):
                import_module(module)
        return spec

    def attempts(self, world: World, identity: int, jail: Any) -> set[str]:
        """Return which attempts succeed in a jail, or without any."""
        argv = (_PYTHON, "-I", "-c", _PROBES, json.dumps(world.facts))
        launch = _sandbox().Launch(argv=argv, env=world.environment())

        async def go() -> set[str]:
            if jail is None:
                return await asyncio.to_thread(_successes, launch, world.workspace)
            async with self.opened(world) as sandbox:
                with sandbox.confine(launch, jail) as confined:
                    return await asyncio.to_thread(_successes, confined, world.workspace)

        self._spec()
        return as_somebody(identity, lambda: run(go(), seconds=60))

    def commands(self, world: World, identity: int, scripts: Sequence[str], jail: Any) -> list[Any]:
        """Run shell commands one by one under the supervisor, and return how they went."""

        async def go() -> list[Any]:
            async with self.opened(world) as sandbox:
                return [await _run_command(sandbox, script, world, jail) for script in scripts]

        self._spec()
        return as_somebody(identity, lambda: run(go(), seconds=120))

    # --- the promises -----------------------------------------------------------------------------

    def test_nothing_gets_out(self, world: World, identity: int) -> None:
        before = world.state("home", "out", "ws/sessions")
        got_out = self.attempts(world, identity, world.jail())
        assert got_out <= self.open_to
        assert world.state("home", "out", "ws/sessions") == before
        assert not world.was_reached()

    def test_where_all_is_shown_the_instance_stays_hidden(
        self, world: World, identity: int
    ) -> None:
        before = world.state("home", "ws/sessions")
        jail = world.jail(everything=True, network=True)
        got_out = self.attempts(world, identity, jail)
        assert got_out >= _USERS_RIGHT
        assert got_out - _USERS_RIGHT - _MAY_FOLLOW <= self.open_to
        assert world.state("home", "ws/sessions") == before

    def test_the_attempts_succeed_without_a_sandbox(self, world: World, identity: int) -> None:
        all_of_them = {name for name in vars(sandbox_probes.Outside) if not name.startswith("_")}
        got_out = self.attempts(world, identity, None)
        may_fail = _NEED_LUCK | (_NEED_ROOT if identity else frozenset())
        assert all_of_them - got_out <= may_fail

    def test_programs_work(self, world: World, identity: int) -> None:
        for everything in (False, True):
            jail = world.jail(everything=everything)
            (outcome,) = self.commands(world, identity, [_WORKING], jail)
            assert outcome.stderr.text == ""
            assert outcome.stdout.text == _WORKED
            assert outcome.code == 0

    def test_exit_codes_and_arguments_are_kept(self, world: World, identity: int) -> None:
        scripts = ["exit 3", "kill -TERM $$", "printf '%s' 'größe \" $HOME'; pwd"]
        failed, killed, said = self.commands(world, identity, scripts, world.jail())
        assert (failed.code, killed.code, said.code) == (3, 143, 0)
        assert said.stdout.text == f'größe " $HOME{world.workspace}\n'

    def test_nothing_outlives_its_command(self, world: World, identity: int) -> None:
        with _alive(world, identity) as alive:
            self.commands(world, identity, [_LINGERING], world.jail())
            assert os.read(alive, 100) == b"up\n"
            assert os.read(alive, 100) == b"", "a process holds the pipe open"

    def test_nothing_outlives_nanobot(self, world: World, identity: int) -> None:
        with _alive(world, identity) as alive:
            script = _LINGERING + "sleep 1000"
            self._spec()
            nanobot = os.fork()
            if not nanobot:
                try:
                    _become(identity)
                    tempfile.tempdir = str(world.root)  # who is killed does not clean up
                    self.commands(world, identity, [script], world.jail())
                finally:
                    os._exit(1)
            assert select.select([alive], [], [], 20)[0]
            assert os.read(alive, 100) == b"up\n"
            os.kill(nanobot, signal.SIGKILL)
            os.waitpid(nanobot, 0)
            assert select.select([alive], [], [], 20)[0], "a process outlived nanobot"
            assert os.read(alive, 100) == b""

    def test_commands_that_try_to_get_out(self, world: World, identity: int) -> None:
        names = {"root": str(world.root), "port": str(world.facts["port"])}
        names |= {"root_q": names["root"], "root_nolead": names["root"][1:]}
        names |= {"out_nolead": names["root_nolead"] + "/out"}
        scripts = [_filled(item["input"], names) for item in self.escapes]
        before = world.state("home", "out", "ws/sessions")
        outcomes = self.commands(world, identity, scripts, world.jail())
        for item, outcome in zip(self.escapes, outcomes, strict=True):
            said = outcome.stdout.text + outcome.stderr.text
            assert "CANARY" not in said, item["id"]
            if item["expected"] == "allow":
                assert outcome.code == 0, f"{item['id']}: {said}"
        assert world.state("home", "out", "ws/sessions") == before
        assert not world.was_reached()


def as_somebody(identity: int, function: Callable[[], T]) -> T:
    """Return what a function returns, or raise what it raises, when a user calls it.

    Args:
        identity: The user's id; another one than the own needs root.
    """
    if identity == os.geteuid():
        return function()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            _become(identity)
            try:
                answer: Any = (function(), None)
            except BaseException as error:
                answer = (None, error)
            with os.fdopen(writer, "wb") as file:
                pickle.dump(answer, file)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as file:
            result, failure = pickle.load(file)  # noqa: S301 - from ourselves
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if failure:
        raise failure
    return result  # type: ignore[no-any-return]


def _become(identity: int) -> None:
    if identity != os.geteuid():
        os.setgroups([])
        os.setresgid(identity, identity, identity)
        os.setresuid(identity, identity, identity)
        if not os.access(sys.executable, os.X_OK):
            sys.executable = _PYTHON


def _sandbox() -> Any:
    """Return the module of the kind's records; its owner is no dependency of the kit."""
    return import_module("nanobot_tool_exec.sandbox")


def _process() -> Any:
    return import_module("nanobot_tool_exec.process")


def _successes(launch: Any, cwd: Path) -> set[str]:
    """Start the attempts with a terminal as standard input, and return what succeeded."""
    terminal, inner = pty.openpty()
    with os.fdopen(terminal, "rb"), os.fdopen(inner, "rb") as stdin:
        done = subprocess.run(
            launch.argv,
            env=launch.env,
            pass_fds=launch.fds,
            cwd=cwd,
            stdin=stdin,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=50,
        )
    assert done.stdout, f"the attempts did not run: {done.stderr}"
    answers: dict[str, bool] = json.loads(done.stdout)
    return {name for name, succeeded in answers.items() if succeeded}


async def _run_command(sandbox: Any, script: str, world: World, jail: Any) -> Any:
    argv = ("/bin/bash", "-c", script.encode())
    with sandbox.confine(_sandbox().Launch(argv=argv, env=world.environment()), jail) as launch:
        return (
            await _process()
            .Runner()
            .run(_process().Job(launch=launch, cwd=world.workspace, timeout=20))
        )


def _filled(script: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        script = script.replace(f"{{{name}}}", value)
    return script


@contextmanager
def _alive(world: World, identity: int) -> Iterator[int]:
    """Yield the reading end of a FIFO in the workspace, which ends when no process is left."""
    path = world.workspace / "alive"
    os.mkfifo(path)
    os.chown(path, identity, -1)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _world(identity: int) -> Iterator[World]:
    """Build a world that belongs to a user."""
    if not os.access(_PYTHON, os.X_OK):
        unavailable(f"the attempts need {_PYTHON}")
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="world-")))
        root = root.resolve()
        for folder in ("home/data", "out", "ws/sessions", "ws/sub"):
            (root / folder).mkdir(parents=True)
        for file in ("home/data/config.json", "out/secret.txt", "ws/sessions/a.jsonl"):
            (root / file).write_text(f"{_CANARY}\n")
        (root / "ws/ok.txt").write_text("one\ntwo\nthree\n")
        shared = stack.enter_context(tempfile.NamedTemporaryFile(dir="/dev/shm"))
        shared.write(_CANARY.encode())
        shared.flush()
        service = stack.enter_context(socket.socket(socket.AF_UNIX))
        service.bind(str(root / "out/socket"))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{root.name}")
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server.setblocking(False)
        for one in (service, abstract):
            one.listen()
        for path in (Path(shared.name), root, *root.rglob("*")):
            os.chown(path, identity, identity or -1)
        victim = stack.enter_context(
            subprocess.Popen(
                [_PYTHON, "-I", "-c", "import sys; sys.stdin.read()", f"victim-of-{root.name}"],
                stdin=subprocess.PIPE,
                cwd=root / "out",
                env={"KEY": _CANARY},
                preexec_fn=lambda: _become(identity),
            )
        )
        stack.callback(victim.kill)
        facts = {
            "canary": _CANARY,
            "data": str(root / "home/data"),
            "sessions": str(root / "ws/sessions"),
            "outside": str(root / "out"),
            "victim": victim.pid,
            "victim_name": f"victim-of-{root.name}",
            "port": server.getsockname()[1],
            "abstract": root.name,
            "shared": shared.name,
        }
        yield World(root=root, server=server, facts=facts)
