"""Names of tools."""

from __future__ import annotations

import re

from nanobot_tool_mcp.naming import unique, wrapped


def test_names_follow_one_rule() -> None:
    assert wrapped("git", "tool", "status") == "mcp_git_status"
    assert wrapped("my server", "tool", "a.b/c") == "mcp_my_server_a_b_c"
    assert wrapped("a__b", "tool", "__c") == "mcp_a_b_c"
    assert wrapped("x", "resource", "notes") == "mcp_x_resource_notes"
    assert wrapped("x", "template", "notes") == "mcp_x_resource_notes"
    assert wrapped("x", "prompt", "greet") == "mcp_x_prompt_greet"
    assert wrapped("größe", "tool", "日本") == "mcp_gr_e_"


def test_long_names_are_cut_and_stay_apart() -> None:
    one, other = (wrapped("s", "tool", "x" * 100 + end) for end in "ab")
    assert one != other
    for name in (one, other):
        assert re.fullmatch(r"mcp_s_x+_[0-9a-f]{8}", name)
        assert len(name) == 64


def test_equal_names_are_all_marked_in_whatever_order() -> None:
    given = [("mcp_a_b", "1"), ("mcp_c", "2"), ("mcp_a_b", "3")]
    names = unique(given)
    assert names[1] == "mcp_c"
    assert len(set(names)) == 3
    assert "mcp_a_b" not in names
    assert dict(zip(given, names, strict=True)) == dict(
        zip(reversed(given), unique(reversed(given)), strict=True)
    )
