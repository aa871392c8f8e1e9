"""The transcript: one append-only file that survives crashes, bad disks and newer versions."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.errors import SessionBusy, SessionVersion, StorageError
from nanobot_engine_standard.transcript import VERSION, Transcript, file_name

KEY = "cli:direct"


def write(folder: Path, *texts: str, key: str = KEY) -> Path:
    """Add a record for each text; return the file."""
    with Transcript(folder, key) as transcript:
        list(transcript.read())
        for text in texts:
            transcript.append("said", {"text": text})
    return folder / file_name(key)


def read(folder: Path, key: str = KEY) -> list[str]:
    """Return the texts of all records."""
    with Transcript(folder, key) as transcript:
        return [record.get("text", "") for record in transcript.read() if record["type"] == "said"]


def test_records_are_read_back_as_they_were_returned(tmp_path: Path) -> None:
    fields = {"text": 'quotes " and\nlines', "list": [1, 2.5, None, True], "deep": {"ü": "😀"}}
    with Transcript(tmp_path, KEY) as transcript:
        assert list(transcript.read()) == []
        made = [transcript.append("one", fields), transcript.append("two", {}, durable=True)]
    with Transcript(tmp_path, KEY) as transcript:
        assert list(transcript.read()) == made
        assert transcript.skipped == 0
        assert [record["n"] for record in made] == [1, 2]


def test_the_file_is_private_and_begins_with_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "sessions", "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    first, *_ = path.read_bytes().splitlines()
    assert json.loads(first) == {"type": "session", "v": VERSION, "key": KEY}


def test_opening_alone_writes_nothing(tmp_path: Path) -> None:
    with Transcript(tmp_path, KEY) as transcript:
        list(transcript.read())
    assert (tmp_path / file_name(KEY)).read_bytes() == b""


def test_each_record_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = os.write
    monkeypatch.setattr(
        "os.write", lambda fd, data: (sizes.append(data.count(b"\n")), real(fd, data))[1]
    )
    write(tmp_path, "a" * 100_000, "b\nc")
    assert sizes == [1, 1, 1]


# --- damage ------------------------------------------------------------------------------------


def test_a_tail_torn_anywhere_costs_the_last_record_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "one", "two", "drei ünïcödé 😀")
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for cut in range(start, len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = ["one", "two"] if cut < len(whole) - 1 else ["one", "two", "drei ünïcödé 😀"]
        assert read(tmp_path) == kept
        write(tmp_path, "after")
        assert read(tmp_path) == [*kept, "after"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 512,
        b"\x00" * 512 + b"\n",
        b"\xff\xfe\xfd\n",
        b"not json\n",
        b"{\n",
        b"[1, 2]\n",
        b"null\n",
        b'{"type": 5, "n": 9}\n',
        b'{"n": 9}\n',
        b'{"type": "said", "text": "no number"}\n',
        b'{"type": "said", "n": "9", "text": "odd number"}\n',
        b'{"type": "said", "n": 1.5, "text": "odd number"}\n',
        b'{"type": "said", "n": ' + b"9" * 5000 + b', "text": "long number"}\n',
        b"[" * 200_000 + b"\n",
        b'{"a":' * 50_000 + b"\n",
        b"\r\n\r\n",
        b"   \n",
    ],
)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_garbage_costs_nothing_else(tmp_path: Path, garbage: bytes, place: str) -> None:
    path = write(tmp_path, "one", "two")
    lines = path.read_bytes().splitlines(keepends=True)
    index = {"start": 0, "middle": 2, "end": 3}[place]
    if place != "end" and not garbage.endswith(b"\n"):
        garbage += b"\n"
    path.write_bytes(b"".join(lines[:index]) + garbage + b"".join(lines[index:]))
    assert read(tmp_path) == ["one", "two"]
    write(tmp_path, "three")
    assert read(tmp_path) == ["one", "two", "three"]


def test_bytes_that_are_no_utf8_cost_their_characters_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "one", "MARK two", "three")
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\xff\xfe"))
    assert read(tmp_path) == ["one", "\ufffd\ufffd two", "three"]


def test_doubled_lines_count_once(tmp_path: Path) -> None:
    path = write(tmp_path, "one", "two")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1], lines[1], lines[0]]))
    assert read(tmp_path) == ["one", "two"]
    write(tmp_path, "three")
    assert read(tmp_path) == ["one", "two", "three"]


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("place", [0, 1])
def test_a_flipped_digit_of_a_number_hides_nothing(tmp_path: Path, digit: int, place: int) -> None:
    texts = [f"{number}" for number in range(1, 31)]
    path = write(tmp_path, *texts)
    wrong = bytearray(b"12")
    wrong[place] = ord(f"{digit}")
    path.write_bytes(path.read_bytes().replace(b'"n":12,', b'"n":%s,' % bytes(wrong).lstrip(b"0")))
    assert read(tmp_path) == texts
    write(tmp_path, "after")
    assert read(tmp_path) == [*texts, "after"]


@pytest.mark.parametrize(
    "header", [b"", b"\x00\x00\n", b'{"type":"session","v":1,"key":"cli:di\xffect"}\n', b"{\n"]
)
def test_a_lost_header_is_written_again(tmp_path: Path, header: bytes) -> None:
    path = write(tmp_path, "one")
    _, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(header + rest)
    assert read(tmp_path) == ["one"]
    write(tmp_path, "two")
    assert path.read_bytes().count(b'"type": "session"') == 1
    assert read(tmp_path) == ["one", "two"]


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=5),
    at=st.integers(0, 600),
    garbage=st.binary(max_size=40),
    drop=st.integers(0, 40),
)
def test_whatever_happens_to_the_bytes_the_file_goes_on(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    at: int,
    garbage: bytes,
    drop: int,
) -> None:
    folder = tmp_path_factory.mktemp("t")
    path = write(folder, *texts)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + garbage + whole[at + drop :])
    damaged = path.read_bytes()
    try:
        before = read(folder)
    except SessionVersion:
        assert path.read_bytes() == damaged
        return
    write(folder, "after")
    assert read(folder) == [*before, "after"]
    assert path.read_bytes().startswith(damaged), "nothing is rewritten"


# --- texts that are no Unicode -----------------------------------------------------------------


def test_halves_of_surrogate_pairs_become_question_marks_at_once(tmp_path: Path) -> None:
    with Transcript(tmp_path, KEY) as transcript:
        made = transcript.append("said", {"text": "a\ud83db", "more": ["\udfff"]})
    assert (made["text"], made["more"]) == ("a?b", ["?"])
    with Transcript(tmp_path, KEY) as transcript:
        assert list(transcript.read()) == [made]


def test_escaped_halves_on_disk_are_made_harmless(tmp_path: Path) -> None:
    path = write(tmp_path, "MARK", "ok \\ud800 in words")
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\\ud83d!"))
    assert read(tmp_path) == ["?!", "ok \\ud800 in words"]


# --- other versions, other sessions ------------------------------------------------------------


@pytest.mark.parametrize("version", ["2", "999", '"1"', "null", "1.5"])
def test_a_newer_transcript_is_left_as_it_is(tmp_path: Path, version: str) -> None:
    path = write(tmp_path, "one")
    path.write_bytes(path.read_bytes().replace(b'"v": 1', f'"v": {version}'.encode()))
    before = path.read_bytes()
    with pytest.raises(SessionVersion, match="pip install --upgrade"):
        read(tmp_path)
    assert path.read_bytes() == before


def test_another_sessions_file_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path, "private", key="telegram:1")
    path.rename(tmp_path / file_name(KEY))
    with pytest.raises(SessionVersion, match="belongs to session 'telegram:1'"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sessions" / file_name(KEY)
    path.parent.mkdir()
    elsewhere = tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.write_text("mine")
    if kind in ("link", "dangling"):
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(StorageError, match="can not be"):
        write(path.parent, "one")
    assert kind != "link" or elsewhere.read_text() == "mine"
    assert kind == "link" or not elsewhere.exists()


# --- a disk that refuses -----------------------------------------------------------------------


def _raising(number: int) -> Callable[[int, bytes], int]:
    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_refused_write_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = write(tmp_path, "one")
    before = path.read_bytes()
    with Transcript(tmp_path, KEY) as transcript:
        list(transcript.read())
        with monkeypatch.context() as patch:
            patch.setattr("os.write", _raising(number))
            with pytest.raises(StorageError, match=os.strerror(number)) as caught:
                transcript.append("said", {"text": "refused"})
        assert "free space" in caught.value.remedy
        assert path.read_bytes() == before
        transcript.append("said", {"text": "two"})
    assert read(tmp_path) == ["one", "two"]


@pytest.mark.parametrize("truncates", [True, False])
def test_a_record_that_was_taken_in_part_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truncates: bool
) -> None:
    """However much of it was taken, even all but the end of the line."""
    real = os.write
    length = len(json.dumps({"type": "said", "n": 2, "text": "refused"}, separators=(",", ":")))
    for taken in range(length + 1 if truncates else length):
        folder = tmp_path / f"{taken}"
        write(folder, "one")
        with Transcript(folder, KEY) as transcript:
            list(transcript.read())
            with monkeypatch.context() as patch:
                patch.setattr("os.write", lambda fd, data, taken=taken: real(fd, data[:taken]))
                if not truncates:
                    patch.setattr("os.ftruncate", _raising(errno.EIO))
                with pytest.raises(StorageError, match="part of the record"):
                    transcript.append("said", {"text": "refused"})
            transcript.append("said", {"text": "two"})
        assert read(folder) == ["one", "two"], taken


def test_a_record_that_was_not_made_durable_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "one")
    with Transcript(tmp_path, KEY) as transcript:
        list(transcript.read())
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", lambda fd: _raising(errno.EIO)(fd, b""))
            with pytest.raises(StorageError):
                transcript.append("said", {"text": "refused"}, durable=True)
        transcript.append("said", {"text": "two"}, durable=True)
    assert read(tmp_path) == ["one", "two"]


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    """A child may write 2,000 bytes to a file; it reports what was accepted by its exit status."""
    child = os.fork()
    if child == 0:
        accepted = 0
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
            while True:
                write(tmp_path, f"record {accepted} " + "x" * 100)
                accepted += 1
        except StorageError:
            os._exit(accepted)
        finally:
            os._exit(255)
    _, status = os.waitpid(child, 0)
    accepted = os.waitstatus_to_exitcode(status)
    assert 5 < accepted < 20
    assert [text.split()[1] for text in read(tmp_path)] == [str(n) for n in range(accepted)]
    write(tmp_path, "space again")
    assert read(tmp_path)[-1] == "space again"


def test_a_new_file_is_made_durable_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda fd: (synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)), real(fd))[1]
    )
    with Transcript(tmp_path, KEY) as transcript:
        transcript.append("a", {}, durable=True)
        transcript.append("b", {}, durable=True)
        transcript.append("c", {})
    assert synced == [False, True, False], "the folder once, and only what must be durable"


# --- one writer --------------------------------------------------------------------------------


def test_an_open_transcript_is_locked(tmp_path: Path) -> None:
    with Transcript(tmp_path, KEY) as transcript:
        with pytest.raises(SessionBusy, match="-s"), Transcript(tmp_path, KEY):
            pass
        with Transcript(tmp_path, "other"):
            pass
        transcript.append("said", {"text": "one"})
    assert read(tmp_path) == ["one"]


def test_the_lock_ends_with_the_process(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        Transcript(tmp_path, KEY).__enter__()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    write(tmp_path, "free")
    assert read(tmp_path) == ["free"]


# --- pictures ----------------------------------------------------------------------------------


def test_pictures_lie_beside_the_transcripts_once(tmp_path: Path) -> None:
    with Transcript(tmp_path, KEY) as transcript:
        one, two = transcript.store(b"png"), transcript.store(b"png")
        assert one == two and transcript.blob(one) == b"png"
    assert [path.name for path in (tmp_path / "media").iterdir()] == [one]


@pytest.mark.parametrize("digest", ["", "../x", "a" * 64, "A" * 64, "/etc/passwd"])
def test_a_picture_that_is_not_there_is_none(tmp_path: Path, digest: str) -> None:
    assert Transcript(tmp_path, KEY).blob(digest) is None


def test_a_picture_that_can_not_be_stored_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media").write_text("in the way")
    with Transcript(tmp_path, KEY) as transcript, pytest.raises(StorageError):
        transcript.store(b"png")
