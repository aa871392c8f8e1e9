"""The sandbox keeps every promise of a sandbox."""

import json
from pathlib import Path
from typing import ClassVar

from nanobot_testing.contracts.sandbox import SandboxContract

CORPUS = Path(__file__).with_name("corpora") / "shell_escapes.json"


class TestBwrap(SandboxContract):
    plugin = "sandboxes.bwrap"
    escapes: ClassVar = json.loads(CORPUS.read_text())["items"]
