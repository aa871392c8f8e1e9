"""A disk that is full or read-only: refused before accepted, told, and well again by itself."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot_testing.node import unavailable
from websockets.exceptions import ConnectionClosed

SIZE = 8 * 2**20


class Disk:
    """A small file system in memory, in a mount namespace that ends with the test.

    Attributes:
        folder: Where it is for a program that is started with `prefix`.
        inside: The same place for everybody else.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        script = f'mount -t tmpfs -o size={SIZE},mode=700 none "$0" && echo up && read _'
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stderr
        if self._holder.stdout.readline() != b"up\n":
            self._holder.wait()
            unavailable(f"no disk can be mounted: {self._holder.stderr.read().decode()}")
        pid = self._holder.pid
        self.folder = folder
        self.prefix = ["nsenter", f"--target={pid}", "--user", "--mount", "--preserve-credentials"]
        self.inside = Path(f"/proc/{pid}/root{folder}")

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that everybody else calls by another name."""
        target = self.inside / path.relative_to(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o600)

    def fill(self) -> None:
        """Take all the room there is."""
        with (self.inside / "ballast").open("ab", buffering=0) as file:
            for size in (2**16, 2**12, 2**8, 1):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def free(self) -> None:
        (self.inside / "ballast").unlink()

    def mount(self, *words: str) -> None:
        subprocess.run([*self.prefix, "mount", *words], check=True)

    def close(self) -> None:
        self._holder.communicate(b"\n")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


def begun(launch: Any, disk: Disk, flaw: str = "") -> Any:
    gateway = launch(disk.folder, prefix=disk.prefix, flaw=flaw)
    gateway.write(disk.write)
    gateway.start()
    return gateway


def fill_and_say(disk: Disk, client: Any, ledger: Any, most: int) -> list[str]:
    """Fill the disk and say things until some are refused; return those."""
    disk.fill()
    refused = []
    for number in range(most):
        word = ledger.say(f"full{number}")
        client.send(word)
        answer = client.until("message_accepted", "error")
        if answer["event"] == "error":
            assert answer["detail"] == "storage_unavailable"
            refused.append(word)
        if len(refused) == 3:
            break
    return refused


def until_quiet(client: Any, ledger: Any) -> None:
    while ledger.lost:
        client.next()


def test_a_full_disk(launch: Any, ledger: Any, disk: Disk) -> None:
    gateway = begun(launch, disk)
    client = gateway.connect(ledger)
    for chat in range(3):
        client.ask(ledger.say(f"c{chat}"))
    for _ in range(2):  # it is full again after it was well
        refused = fill_and_say(disk, client, ledger, 200)
        assert len(refused) == 3, "the disk did not fill up"
        assert "is full" in gateway.told
        disk.free()
        for word in refused:
            client.send(word)
        until_quiet(client, ledger)
    for word in ledger.said:  # all of it comes again
        client.send(word)
        client.until("message_accepted")
    client.ask(ledger.say("last"))
    assert ledger.faultless, ledger
    assert gateway.stop(signal.SIGTERM) == 0
    assert "Traceback" not in gateway.told


async def refused(house: Any, gateway: Any) -> str:
    """Let the store have no room, say something until it is refused, and return its word."""
    house.brain.hold()  # the end of a turn makes room
    gateway.store._database.writer().execute("PRAGMA max_page_count = 1")
    while True:
        try:
            await house.platform.says("c0")
        except StorageError:
            return str(house.ledger.said[-1])


async def mended(house: Any, gateway: Any, word: str) -> None:
    house.brain.go()
    gateway.store._database.writer().execute("PRAGMA max_page_count = 1000000")
    await house.platform.hand(word, "c0")  # it was not acknowledged, so it comes again
    await gateway.sessions.drained()
    await gateway.outbox.drained()


def test_a_chat_app_is_told_that_nothing_can_be_taken(house: Any) -> None:
    async def work(gateway: Any) -> None:
        word = await refused(house, gateway)
        with pytest.raises(StorageError):
            await house.platform.hand(word, "c0")
        await gateway.outbox.drained()
        excuses = [text for text in house.platform.texts("c0") if "can not take" in text]
        assert len(excuses) == 1 and "is full" in excuses[0]
        await mended(house, gateway, word)

    house.run(work)
    assert house.ledger.faultless, house.ledger


def test_health_tells_that_nothing_can_be_stored(house: Any) -> None:
    async def work(gateway: Any) -> None:
        assert gateway.health().ok
        word = await refused(house, gateway)
        ill = gateway.health()
        await mended(house, gateway, word)
        assert not ill.ok and any("full" in problem for problem in ill.problems)
        assert gateway.health().ok

    house.run(work)


def test_a_kill_while_the_disk_is_full(launch: Any, ledger: Any, disk: Disk) -> None:
    """What was accepted before is answered once there is room, by the next process."""
    gateway = begun(launch, disk)
    client = gateway.connect(ledger)
    client.ask(ledger.say("c0"))
    refused = fill_and_say(disk, client, ledger, 200)
    gateway.stop(signal.SIGKILL)
    gateway.start()
    assert gateway.process.wait(60) == 1, "it does not start where nothing can be stored"
    assert "is full" in gateway.told and "Free some space" in gateway.told
    disk.free()
    gateway.start()
    again = gateway.connect(ledger)
    for chat in sorted({word.strip("#").partition(".")[0] for word in ledger.lost}):
        again.connection.send(f'{{"type": "attach", "chat_id": "{chat}", "last_seq": 0}}')
        again.until("attached")
    for word in refused:
        again.send(word)
    until_quiet(again, ledger)
    assert ledger.faultless, ledger


def test_the_detector_sees_what_a_full_disk_swallows(launch: Any, ledger: Any, disk: Disk) -> None:
    """Negative control: a store that says yes whether or not there is room."""
    gateway = begun(launch, disk, "forgetful")
    client = gateway.connect(ledger)
    client.ask(ledger.say("c0"))
    assert fill_and_say(disk, client, ledger, 60) == []
    gateway.stop(signal.SIGKILL)
    disk.free()
    gateway.start()
    again = gateway.connect(ledger)
    for word in ledger.lost:
        chat = word.strip("#").partition(".")[0]
        again.connection.send(f'{{"type": "attach", "chat_id": "{chat}", "last_seq": 0}}')
        again.until("attached")
    again.ask(ledger.say("last"))
    gateway.process.send_signal(signal.SIGTERM)  # what still runs may end
    with suppress(ConnectionClosed):
        while ledger.lost:
            again.next()
    assert ledger.lost


def test_a_read_only_disk_is_refused_in_words(launch: Any, ledger: Any, disk: Disk) -> None:
    gateway = begun(launch, disk)
    gateway.connect(ledger).ask(ledger.say("c0"))
    gateway.stop(signal.SIGKILL)
    disk.mount("-o", "remount,ro", str(disk.folder))
    gateway.start()
    assert gateway.process.wait(60) == 1
    assert "Read-only file system" in gateway.told and "needs to write" in gateway.told
    assert "Traceback" not in gateway.told
    disk.mount("-o", "remount,rw", str(disk.folder))
    gateway.start()
    gateway.connect(ledger).ask(ledger.say("c0"))
    assert ledger.faultless, ledger


def test_transcripts_that_can_not_be_written_for_a_while(
    launch: Any, ledger: Any, disk: Disk, wait_for: Any
) -> None:
    """What was accepted waits for its disk, and is answered when that is back."""
    gateway = begun(launch, disk)
    client = gateway.connect(ledger)
    client.ask(ledger.say("c0"))
    sessions = str(disk.folder / "work" / "sessions")
    disk.mount("--bind", sessions, sessions)
    disk.mount("-o", "remount,bind,ro", sessions)
    for chat in range(3):
        client.send(ledger.say(f"c{chat}"))
        client.until("message_accepted")
    wait_for(lambda: gateway.told.count("turn_waits_for_storage") >= 3)
    assert len(ledger.lost) == 3
    disk.mount("-o", "remount,bind,rw", sessions)
    until_quiet(client, ledger)
    assert ledger.faultless, ledger
