"""What /undo restores, and when it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.command import CommandRequest
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run
from nanobot_testing.contracts.command import FakeHost, FakeSession

Call = tuple[str, dict[str, Any]]


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything below a folder, with modes and content."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


class Chat:
    """A chat with the file tools and the command; every turn opens them anew, as a restart does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "ws"
        self.workspace.mkdir(exist_ok=True)
        self.base = make_turn(self.workspace)
        self.config: dict[str, object] = {}
        self.turns = 0

    def turn(self, *calls: Call, of: Turn | None = None) -> list[ToolResult]:
        self.turns += 1
        turn = replace(of or self.base, id=f"turn-{self.turns}")

        async def work() -> list[ToolResult]:
            spec = load_spec("tools.files")
            async with open_spec(spec, self.config, self.folder, plugin="tools.files") as tool:
                requests = [ToolRequest(name=name, arguments=args) for name, args in calls]
                return [await tool.call(request, turn) for request in requests]

        return run(work())

    def undo(self, arguments: str = "", *, of: Turn | None = None) -> str:
        turn = of or self.base

        async def work() -> str:
            spec = load_spec("commands.undo")
            async with open_spec(spec, {}, self.folder, plugin="commands.undo") as command:
                request = CommandRequest(
                    name="undo",
                    arguments=arguments,
                    turn=turn,
                    session=FakeSession(),
                    host=FakeHost((spec,)),
                )
                return str(await command.run(request))

        return run(work())


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    made = Chat(tmp_path)
    (made.workspace / "a.txt").write_text("one\n")
    (made.workspace / "a.txt").chmod(0o640)
    (made.workspace / "gone.txt").write_text("gone\n")
    (made.workspace / "run.sh").write_text("run\n")
    (made.workspace / "run.sh").chmod(0o755)
    return made


EVERYTHING: Sequence[Call] = (
    ("write_file", {"path": "new/deep/made.txt", "content": "made"}),
    ("edit_file", {"path": "a.txt", "old_text": "one", "new_text": "two"}),
    ("edit_file", {"path": "./a.txt", "old_text": "two", "new_text": "three"}),
    (
        "apply_patch",
        {
            "edits": [
                {"path": "gone.txt", "action": "delete"},
                {"path": "run.sh", "action": "move", "to": "bin/run.sh"},
            ]
        },
    ),
    ("notebook_edit", {"path": "n.ipynb", "new_source": "1", "edit_mode": "insert"}),
)


def test_a_whole_turn_is_undone(chat: Chat) -> None:
    before = tree(chat.workspace)
    assert not [result for result in chat.turn(*EVERYTHING) if result.is_error]
    assert tree(chat.workspace) != before
    title, *done = chat.undo().split("\n")
    assert title == "Undone what the last turn changed:"
    assert sorted(done) == [
        "- removed bin/run.sh",
        "- removed n.ipynb",
        "- removed new/deep/made.txt",
        "- restored a.txt",
        "- restored gone.txt",
        "- restored run.sh",
    ]
    assert tree(chat.workspace) == before
    assert chat.undo() == "There is nothing to undo in this chat."


def test_turn_after_turn(chat: Chat) -> None:
    states = []
    for number in range(3):
        states.append(tree(chat.workspace))
        chat.turn(("write_file", {"path": "a.txt", "content": str(number)}))
        chat.turn(("read_file", {"path": "a.txt"}))
    while states:
        chat.undo()
        assert tree(chat.workspace) == states.pop()


def test_chats_do_not_mix(chat: Chat) -> None:
    bob = make_turn(chat.workspace, user="bob")
    chat.turn(("write_file", {"path": "mine.txt", "content": "x"}))
    assert chat.undo(of=bob) == "There is nothing to undo in this chat."
    chat.turn(("write_file", {"path": "bobs.txt", "content": "x"}), of=bob)
    chat.undo()
    assert not (chat.workspace / "mine.txt").exists()
    assert (chat.workspace / "bobs.txt").exists()


@pytest.mark.parametrize("theirs", ["change", "remove", "folder"])
def test_what_somebody_else_changed_is_kept(chat: Chat, theirs: str) -> None:
    chat.turn(
        ("write_file", {"path": "a.txt", "content": "two"}),
        ("write_file", {"path": "new.txt", "content": "new"}),
    )
    path = chat.workspace / "a.txt"
    path.unlink()
    if theirs == "change":
        path.write_text("theirs")
    elif theirs == "folder":
        path.mkdir()
    before = tree(chat.workspace)
    refusal = chat.undo()
    assert refusal.startswith("Nothing was undone. Changed by someone else since:\n- a.txt\n")
    assert "/undo force" in refusal
    assert tree(chat.workspace) == before
    forced = chat.undo("force")
    if theirs == "folder":
        assert forced.startswith("Nothing was undone: 'a.txt'") or "folder" in forced
        assert tree(chat.workspace) == before
    else:
        assert path.read_text() == "one\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert not (chat.workspace / "new.txt").exists()


def test_nothing_to_do_when_all_is_as_before(chat: Chat) -> None:
    chat.turn(("write_file", {"path": "a.txt", "content": "two"}))
    (chat.workspace / "a.txt").write_text("one\n")
    assert "already as they were" in chat.undo()


def test_folders_that_others_use_stay(chat: Chat) -> None:
    chat.turn(("write_file", {"path": "new/made.txt", "content": "x"}))
    (chat.workspace / "new/theirs.txt").write_text("theirs")
    chat.undo()
    assert os.listdir(chat.workspace / "new") == ["theirs.txt"]


def test_the_guard_holds_for_undo_too(chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("out")
    free = make_turn(chat.workspace, restricted=False)
    chat.turn(("write_file", {"path": "../out.txt", "content": "changed"}), of=free)
    assert chat.undo().startswith("Nothing was undone: ")
    assert (tmp_path / "out.txt").read_text() == "changed"
    assert (
        chat.undo(of=free) == f"Undone what the last turn changed:\n- restored {tmp_path}/out.txt"
    )
    assert (tmp_path / "out.txt").read_text() == "out"


def test_a_failed_change_leaves_nothing_to_undo(chat: Chat) -> None:
    before = tree(chat.workspace)

    async def work() -> None:
        spec = load_spec("tools.files")
        async with open_spec(spec, {}, chat.folder, plugin="tools.files") as tool:
            edits = [{"path": "a.txt", "action": "delete"}, {"path": "../x", "action": "delete"}]
            with pytest.raises(Exception, match="outside the workspace"):
                await tool.call(
                    ToolRequest(name="apply_patch", arguments={"edits": edits}), chat.base
                )

    run(work())
    assert tree(chat.workspace) == before
    assert chat.undo() == "There is nothing to undo in this chat."


CRASH = """
import os, sys
from pathlib import Path
from nanobot.tool import ToolRequest
from nanobot_security import _kernel
from nanobot_testing import load_spec, make_turn, open_spec, run
folder, deaths = Path(sys.argv[1]), int(sys.argv[2])
def dying(work):
    def step(*names, **folders):
        global deaths
        deaths -= 1
        if deaths < 0:
            os._exit(9)
        return work(*names, **folders)
    return step
async def work():
    async with open_spec(load_spec("tools.files"), {}, folder, plugin="tools.files") as tool:
        os.rename, _kernel.exchange = dying(os.rename), dying(_kernel.exchange)
        edits = [
            {"path": "a.txt", "old_text": "one", "new_text": "two"},
            {"path": "new.txt", "action": "add", "new_text": "new"},
            {"path": "gone.txt", "action": "delete"},
            {"path": "run.sh", "old_text": "run", "new_text": "walk"},
        ]
        await tool.call(ToolRequest(name="apply_patch", arguments={"edits": edits}),
                        make_turn(folder / "ws"))
run(work())
"""


@pytest.mark.parametrize("step", range(5))
def test_a_process_that_died_in_the_middle(chat: Chat, step: int) -> None:
    before = tree(chat.workspace)
    died = subprocess.run([sys.executable, "-c", CRASH, str(chat.folder), str(step)], check=False)
    assert died.returncode == (9 if step < 4 else 0)
    reply = chat.undo()
    assert "undone" in reply.lower() or "already" in reply
    now = {name: what for name, what in tree(chat.workspace).items() if not name.endswith(".tmp")}
    assert now == before


def test_what_is_too_large_for_the_space_is_said(chat: Chat) -> None:
    chat.config = {"undoMegabytes": 1}
    (chat.workspace / "big.txt").write_text("x" * (2 << 20))
    chat.turn(
        ("write_file", {"path": "big.txt", "content": "small"}),
        ("write_file", {"path": "a.txt", "content": "two"}),
    )
    reply = chat.undo()
    assert "Too large to have been kept:\n- big.txt" in reply
    assert (chat.workspace / "a.txt").read_text() == "two"
    assert "Not restored, because no copy was kept:\n- big.txt" in chat.undo("force")
    assert (chat.workspace / "a.txt").read_text() == "one\n"


def test_it_can_be_switched_off(chat: Chat) -> None:
    chat.config = {"undoMegabytes": 0}
    chat.turn(("write_file", {"path": "a.txt", "content": "two"}))
    assert not (chat.folder / "data/tools.files/undo").exists()
    assert chat.undo() == "There is nothing to undo in this chat."


def test_copies_are_bounded_and_private(chat: Chat) -> None:
    chat.config = {"undoMegabytes": 1}
    for number in range(6):
        (chat.workspace / "b.bin").write_bytes(os.urandom(400_000))
        chat.turn(("write_file", {"path": "b.bin", "content": str(number)}))
    kept = chat.folder / "data/tools.files/undo"
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_500_000
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_old_copies_are_dropped(chat: Chat) -> None:
    chat.turn(("write_file", {"path": "a.txt", "content": "two"}))
    chat.config = {"undoDays": 1e-9}
    chat.turn(("write_file", {"path": "b.txt", "content": "b"}))
    chat.undo()
    assert chat.undo() == "There is nothing to undo in this chat."


def test_damaged_copies_are_not_restored(chat: Chat) -> None:
    chat.turn(("write_file", {"path": "a.txt", "content": "two"}))
    (kept,) = (chat.folder / "data/tools.files/undo").glob("*-*-*")
    for path in kept.iterdir():
        if path.name != "changes.jsonl":
            path.write_text("damaged")
        else:
            path.write_text(path.read_text() + '{"path": "cut o')
    assert "no copy" in chat.undo() or "kept" in chat.undo()
    assert (chat.workspace / "a.txt").read_text() == "two"


NAMES = st.sampled_from(["a.txt", "gone.txt", "d/x", "d/e/y", "run.sh"])
CALLS = st.lists(
    st.one_of(
        st.builds(lambda p, c: ("write_file", {"path": p, "content": c}), NAMES, st.text("ab\n")),
        st.builds(lambda p: ("apply_patch", {"edits": [{"path": p, "action": "delete"}]}), NAMES),
        st.builds(
            lambda p, to: (
                "apply_patch",
                {"edits": [{"path": p, "action": "move", "to": to}]},
            ),
            NAMES,
            NAMES,
        ),
    ),
    max_size=6,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=CALLS)
def test_any_turn_is_undone(calls: list[Call], tmp_path: Path) -> None:
    """Whatever a turn did, and whatever of it was refused."""
    chat = Chat(tmp_path)
    for name, mode in (("a.txt", 0o640), ("run.sh", 0o755)):
        (chat.workspace / name).write_text(name)
        (chat.workspace / name).chmod(mode)
    before = tree(chat.workspace)
    turn = replace(chat.base, id=os.urandom(8).hex())

    async def work() -> None:
        spec = load_spec("tools.files")
        async with open_spec(spec, {}, chat.folder, plugin="tools.files") as tool:
            for name, arguments in calls:
                try:
                    await tool.call(ToolRequest(name=name, arguments=arguments), turn)
                except Exception as error:
                    assert getattr(error, "kind", "") in ("not_found", "exists")

    run(work())
    chat.undo()
    assert tree(chat.workspace) == before
