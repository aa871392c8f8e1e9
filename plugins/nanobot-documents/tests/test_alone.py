"""The library rests on the standard library alone, and is quick to import."""

from __future__ import annotations

import json
import subprocess
import sys

SHOW = """
import json, sys
before = set(sys.modules)
import nanobot_documents.strict_json, nanobot_documents.writing
cheap = set(sys.modules)
import nanobot_documents.document
print(json.dumps([sorted(cheap - before), sorted(set(sys.modules) - before)]))
"""


def test_importing_it_imports_the_standard_library_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, timeout=60, check=True
    )
    cheap, everything = map(set, json.loads(done.stdout))
    tops = {name.split(".")[0] for name in everything} - {"nanobot_documents"}
    assert tops <= sys.stdlib_module_names
    assert not everything & {"asyncio", "ssl", "tempfile"}
    assert not cheap & {"dataclasses", "hashlib", "inspect"}
