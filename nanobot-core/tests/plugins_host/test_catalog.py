"""The catalog: what is installed, from metadata alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import PathDistribution, distributions
from pathlib import Path
from typing import Any

import pytest
from nanobot import API_VERSION, __version__
from nanobot._plugins.catalog import Catalog, incompatibility, scan

Dist = Callable[..., Path]
TOOL = "[nanobot.v1.tools]\nfiles = nanobot_tool_files.plugin\n"


def catalog(*sites: Path) -> Catalog:
    return scan(distributions(path=[str(site) for site in sites]))


def ids(found: Catalog) -> list[str]:
    return [entry.id for entry in found.plugins]


def test_entries_of_several_distributions(dist: Dist) -> None:
    site = dist("nanobot-tool-files", TOOL, version="1.2.3")
    dist(
        "nanobot-provider-x",
        "[console_scripts]\nx = x:main\n\n[nanobot.v1.providers]\nx = nanobot_provider_x.plugin\n"
        "y = nanobot_provider_x.other\n[nanobot.v1.cli]\nx-login = nanobot_provider_x.cli:login\n",
    )
    dist("unrelated", "[console_scripts]\nnanobot = unrelated:main\n")
    found = catalog(site)
    assert ids(found) == ["providers.x", "providers.y", "tools.files"]
    assert found.kinds() == ("providers", "tools")
    assert list(found.commands) == ["x-login"]
    assert found.commands["x-login"].value == "nanobot_provider_x.cli:login"
    tool = found.plugins[-1]
    assert (tool.distribution, tool.version) == ("nanobot-tool-files", "1.2.3")
    assert (tool.value, tool.api, tool.requires) == ("nanobot_tool_files.plugin", 1, "")


def test_nothing_is_imported(dist: Dist) -> None:
    site = dist("nanobot-tool-files", "[nanobot.v1.tools]\nfiles = nanobot_no_such_module.plugin\n")
    assert ids(catalog(site)) == ["tools.files"]
    assert not [name for name in sys.modules if name.startswith("nanobot_no_such")]


def test_the_installed_plugins_are_found() -> None:
    assert scan().commands["config"].distribution == "nanobot-cli-admin"


@pytest.mark.parametrize(
    "other", ["nanobot-tool-files", "nanobot_tool_files", "Nanobot.Tool.Files"]
)
def test_the_first_on_the_path_wins(dist: Dist, other: str) -> None:
    """As for imports, whatever the spelling of the name."""
    first = dist("nanobot-tool-files", TOOL, version="2.0", site="one")
    second = dist(other, TOOL, version="1.0", site="two")
    found = catalog(first, second)
    assert [(entry.id, entry.version) for entry in found.plugins] == [("tools.files", "2.0")]


def test_two_distributions_with_one_id_are_both_seen(dist: Dist) -> None:
    site = dist("nanobot-tool-files", TOOL)
    dist("my-files", TOOL)
    assert [entry.distribution for entry in catalog(site).plugins] == [
        "my-files",
        "nanobot-tool-files",
    ]


def test_a_command_of_the_core_is_not_taken_over(dist: Dist) -> None:
    for name in ("aaa-evil", "zzz-evil"):
        site = dist(name, "[nanobot.v1.cli]\nconfig = evil:main\nmine = evil:main\n")
    dist("nanobot-core", "[nanobot.v1.cli]\nconfig = nanobot._cli.config:command\n")
    found = catalog(site)
    assert found.commands["config"].distribution == "nanobot-core"
    assert set(found.commands) == {"config", "mine"}


@pytest.mark.parametrize(
    "entries",
    [
        "",
        "nanobot.v1.tools\n",
        "[nanobot.v1.tools\nfiles = a\n",
        "[nanobot.v1.tools]\n",
        "[nanobot.v1.tools]\nno value\n",
        "[nanobot.v1.tools]\n= no_name\n",
        "[nanobot.vx.tools]\nfiles = a\n",
        "[nanobot.v1]\nfiles = a\n",
        "[nanobot.v1.]\nfiles = a\n",
        "[xnanobot.v1.tools]\nfiles = a\n",
        b"[nanobot.v1.tools]\nfiles = \xff\xfe\n",
        b"\x00\x01nanobot.v1",
    ],
)
def test_odd_entry_points_are_nobodys(dist: Dist, entries: str | bytes) -> None:
    site = dist("odd", entries)
    dist("nanobot-tool-files", TOOL)
    assert ids(catalog(site)) == ["tools.files"]


def test_comments_blanks_and_line_ends(dist: Dist) -> None:
    text = (
        "# nanobot.v1.tools = not = this\n"
        "[other]\r\na = b\r\n\r\n"
        "  [nanobot.v1.tools]  \r\n"
        "; a comment = here\n"
        "# another = one\n"
        "garbage\n"
        "  files=nanobot_tool_files.plugin\n"
        "\twith_extra \t=  nanobot_tool_files.other [extra] \n"
    )
    site = dist("nanobot-tool-files", text)
    assert [(entry.id, entry.value) for entry in catalog(site).plugins] == [
        ("tools.files", "nanobot_tool_files.plugin"),
        ("tools.with_extra", "nanobot_tool_files.other"),
    ]


def test_the_description_is_not_read_as_metadata(dist: Dist) -> None:
    site = dist("nanobot-tool-files", TOOL)
    (path,) = site.glob("*.dist-info")
    with (path / "METADATA").open("a") as file:
        file.write("\nRequires-Dist: nanobot-core<0.0.1\nVersion: 9\n")
    (entry,) = catalog(site).plugins
    assert (entry.version, entry.requires) == ("1.0", "")


def test_metadata_that_can_not_be_read_harms_nobody(dist: Dist) -> None:
    site = dist("nanobot-tool-files", TOOL)
    dist("broken", "[nanobot.v1.tools]\nbroken = broken.plugin\n", head=b"Summary: \xff\xfe\n")
    (site / "empty-1.0.dist-info").mkdir()
    (site / "file-1.0.dist-info").write_text("a file")
    assert "tools.files" in ids(catalog(site))


def test_a_distribution_whose_files_fail_harms_nobody(dist: Dist) -> None:
    class Locked(PathDistribution):
        def read_text(self, filename: Any) -> str | None:
            raise OSError("stale file handle")

    site = dist("nanobot-tool-files", TOOL)
    found = [Locked(Path("/x")), *distributions(path=[str(site)])]
    assert ids(scan(found)) == ["tools.files"]


def test_an_egg_has_its_metadata_elsewhere(dist: Dist) -> None:
    site = dist(
        "nanobot-tool-files", TOOL, folder="nanobot_tool_files.egg-info", metadata="PKG-INFO"
    )
    (entry,) = catalog(site).plugins
    assert (entry.distribution, entry.version) == ("nanobot-tool-files", "1.0")


# --- what fits this core ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requires", "fits"),
    [
        ("", True),
        ("Requires-Dist: nanobot-core", True),
        ("Requires-Dist: nanobot-core>=0.1,<0.2", True),
        ("Requires-Dist: nanobot_core >= 0.1 , < 0.2", True),
        ("Requires-Dist: nanobot-core (>=0.1,<0.2)", True),
        ("Requires-Dist: Nanobot.Core>=0.1; python_version >= '3.11'", True),
        ("Requires-Dist: nanobot-core[all]>=0.1", True),
        ("Requires-Dist: nanobot-core @ file:///somewhere/nanobot-core", True),
        ("Requires-Dist: nanobot-core-extras>=7", True),
        ("Requires-Dist: nanobot-coreutils<0.0.1", True),
        ("Requires-Dist: httpx\nRequires-Dist: nanobot-core>=99", False),
        ("Requires-Dist: nanobot-core<0.1", False),
        ("Requires-Dist: nanobot-core==0.0.9", False),
        ("Requires-Dist: nanobot-core>=banana", False),
    ],
)
def test_the_range_of_the_core(dist: Dist, requires: str, fits: bool) -> None:
    site = dist("nanobot-tool-files", TOOL, head=requires)
    (entry,) = catalog(site).plugins
    words = incompatibility(entry)
    assert (words == "") == fits
    assert fits or (f"installed is {__version__}" in words and "pip install --upgrade" in words)


@pytest.mark.parametrize("api", [0, 2, 17])
def test_another_major_of_the_plugin_api(dist: Dist, api: int) -> None:
    site = dist("nanobot-tool-files", f"[nanobot.v{api}.tools]\nfiles = a.plugin\n")
    (entry,) = catalog(site).plugins
    assert entry.api == api and entry.id == "tools.files"
    assert f"v{api}, this core speaks v{API_VERSION}" in incompatibility(entry)
    assert "pip install --upgrade nanobot-tool-files" in incompatibility(entry)
