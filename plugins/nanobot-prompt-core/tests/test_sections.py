"""What the sections show of a workspace."""

from __future__ import annotations

from pathlib import Path

from nanobot_testing import load_spec, make_turn, open_spec, run


def render(name: str, folder: Path, times: int = 1) -> str:
    spec = load_spec(f"prompts.{name}")

    async def go() -> str:
        async with open_spec(spec, {}, folder) as section:
            for _ in range(times):
                text: str = await section.render(make_turn(folder))
            return text

    return run(go())


def test_identity_names_the_workspace(tmp_path: Path) -> None:
    assert str(tmp_path) in render("identity", tmp_path)


def test_a_file_is_shown_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Use tabs.\n")
    assert render("agents", tmp_path, times=2) == "## AGENTS.md\n\nUse tabs."


def test_a_missing_or_blank_file_gives_nothing(tmp_path: Path) -> None:
    assert render("soul", tmp_path) == ""
    (tmp_path / "SOUL.md").write_text("  \n")
    assert render("soul", tmp_path) == ""


def test_a_long_file_is_cut_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "USER.md").write_text("x" * 50_000)
    text = render("user", tmp_path)
    assert len(text) < 17_000 and "USER.md goes on" in text


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    spec = load_spec("prompts.memory")
    (tmp_path / "memory").mkdir()
    path = tmp_path / "memory" / "MEMORY.md"

    async def go() -> tuple[str, str]:
        async with open_spec(spec, {}, tmp_path) as section:
            path.write_text("tea")
            first = await section.render(make_turn(tmp_path))
            path.write_text("coffee")
            return first, await section.render(make_turn(tmp_path))

    first, second = run(go())
    assert "tea" in first and "coffee" in second


def test_a_link_out_of_the_workspace_is_left_out(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (tmp_path / "secret.txt").write_text("hidden")
    (workspace / "AGENTS.md").symlink_to(tmp_path / "secret.txt")
    assert render("agents", workspace) == ""


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_bytes(b"caf\xe9 \xff")
    assert "caf" in render("agents", tmp_path)


def test_the_time_is_told(tmp_path: Path) -> None:
    assert "2026-01-02 03:04" in render("time", tmp_path)
