"""The contract of tool plugins, for the file tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from nanobot_testing import ToolContract


class TestFiles(ToolContract):
    plugin = "tools.files"
    config: ClassVar[Mapping[str, object]] = {"ignore": ["target"], "searchSeconds": 5}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "read_file": [{"path": "notes.txt"}, {"path": "sub/long.txt", "offset": 3, "limit": 2}],
        "write_file": [{"path": "new/made.txt", "content": "text\n"}],
        "edit_file": [
            {"path": "edit.txt", "old_text": "one", "new_text": "ONE", "replace_all": True},
            {"path": "created.txt", "old_text": "", "new_text": "fresh"},
        ],
        "apply_patch": [
            {"edits": [{"path": "made.txt", "action": "add", "new_text": "text"}]},
            {
                "patch": "*** Begin Patch\n*** Update File: long.txt\n"
                "@@\n-bb 0\n+BB 0\n*** End Patch"
            },
            {
                "edits": [{"path": "long.txt", "old_text": "bb 1\n", "new_text": ""}],
                "dry_run": True,
            },
        ],
        "notebook_edit": [
            {"path": "new.ipynb", "new_source": "1 + 1", "edit_mode": "insert"},
            {"path": "new.ipynb", "cell_index": 0, "new_source": "# A", "cell_type": "markdown"},
        ],
        "list_dir": [{"path": "."}, {"path": ".", "recursive": True, "max_entries": 3}],
        "find_files": [{"query": "long", "glob": "*.txt", "type": "txt", "sort": "modified"}],
        "glob": [{"pattern": "**/*.txt", "path": "."}],
        "grep": [{"pattern": "b+", "path": ".", "glob": "*.txt", "output_mode": "content"}],
    }

    def prepare(self, folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "long.txt").write_text("".join(f"bb {n}\n" for n in range(9)))
        (folder / "notes.txt").write_text("abba\n")
        (folder / "edit.txt").write_text("one\ntwo\none\n")
        (folder / "sub" / "long.txt").write_text("".join(f"bb {n}\n" for n in range(9)))
