"""The contract of prompt sections."""

from __future__ import annotations

from pathlib import Path

from nanobot.specs import PromptSpec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_turn, open_spec, run


class PromptContract(PluginContract):
    """Promises of a prompt section."""

    def prepare(self, folder: Path) -> None:
        """Fill the workspace with what the section describes."""

    def test_renders_text(self, spec: PromptSpec, tmp_path: Path) -> None:
        self.prepare(tmp_path)

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as prompt:
                assert isinstance(await prompt.render(make_turn(tmp_path)), str)

        run(check())

    def test_system_text_is_the_same_from_turn_to_turn(
        self, spec: PromptSpec, tmp_path: Path
    ) -> None:
        """A system section that changes makes every turn pay for the whole prompt again."""
        if spec.placement != "system":
            return
        self.prepare(tmp_path)

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as prompt:
                first = await prompt.render(make_turn(tmp_path, query="one"))
                second = await prompt.render(make_turn(tmp_path, query="two"))
                assert first == second

        run(check())
