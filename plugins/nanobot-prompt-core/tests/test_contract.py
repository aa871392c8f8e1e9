"""The sections keep the contract."""

from pathlib import Path

from nanobot_testing import PromptContract


class TestIdentity(PromptContract):
    plugin = "prompts.identity"


class TestTime(PromptContract):
    plugin = "prompts.time"


class FileContract(PromptContract):
    def prepare(self, folder: Path) -> None:
        (folder / "memory").mkdir()
        for name in ("AGENTS.md", "SOUL.md", "USER.md", "memory/MEMORY.md"):
            (folder / name).write_text("Be kind.")


class TestAgents(FileContract):
    plugin = "prompts.agents"


class TestSoul(FileContract):
    plugin = "prompts.soul"


class TestUser(FileContract):
    plugin = "prompts.user"


class TestMemory(FileContract):
    plugin = "prompts.memory"
