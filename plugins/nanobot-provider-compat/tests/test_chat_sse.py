"""Server-sent events from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot_provider_compat.sse import MAX_EVENT, EventSplitter, EventTooLong


def split(*blocks: bytes) -> list[bytes]:
    splitter = EventSplitter()
    events = [event for block in blocks for event in splitter.feed(block)]
    rest = splitter.flush()
    return [*events, rest] if rest else events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": keep-alive\n\n\n\ndata: a\n: in between\n\n", [b"a"]),
        (b"event: message\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
        (b"data: a\n", [b"a"]),
        (b"", []),
        (b"\n\n", []),
        (b"datas: a\n\n", []),
    ],
)
def test_events(stream: bytes, events: list[bytes]) -> None:
    assert split(stream) == events
    assert split(*(stream[i : i + 1] for i in range(len(stream)))) == events


@given(
    st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b and b"\r" not in b)),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.data(),
)
def test_any_cutting_gives_the_same_events(
    payloads: list[bytes], end: bytes, data: st.DataObject
) -> None:
    stream = b"".join(b"data: " + payload + end + end for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    blocks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    splitter = EventSplitter()
    assert [event for block in blocks for event in splitter.feed(block)] == payloads


def test_an_endless_event_is_refused() -> None:
    splitter = EventSplitter()
    block = b"x" * (1024 * 1024)
    with pytest.raises(EventTooLong):
        for _ in range(MAX_EVENT // len(block) + 2):
            splitter.feed(b"data: " + block)


def test_many_events_are_not_an_endless_one() -> None:
    splitter = EventSplitter()
    block = b"data: " + b"x" * (1024 * 1024) + b"\n\n"
    for _ in range(MAX_EVENT // len(block) + 2):
        assert len(splitter.feed(block)) == 1
