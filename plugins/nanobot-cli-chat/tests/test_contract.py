"""The promises of a CLI command: found by its name, cheap to import, described."""

import subprocess
import sys
from importlib.metadata import entry_points

import click
from click.testing import CliRunner


def entry():
    [found] = entry_points(group="nanobot.v1.cli", name="chat")
    return found


def test_is_a_click_command_with_the_options_of_nanobot_agent():
    command = entry().load()
    assert isinstance(command, click.Command)
    assert command.name == "chat"
    names = {parameter.name for parameter in command.params}
    assert names == {"config_path", "workspace", "session", "markdown", "logs"}


def test_importing_it_imports_no_terminal_library():
    program = (
        "import sys, nanobot_cli_chat.cli;"
        "print(sorted({'rich', 'prompt_toolkit', 'markdown_it', 'asyncio', 'pydantic'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_says_how_to_leave():
    shown = CliRunner().invoke(entry().load(), ["-h"])
    assert shown.exit_code == 0
    assert "Ctrl+D" in shown.output
    assert "--no-markdown" in shown.output


def test_a_missing_configuration_is_named_with_its_remedy(tmp_path):
    missing = tmp_path / "none.json"
    done = CliRunner().invoke(entry().load(), ["-c", str(missing)])
    assert done.exit_code == 1
    assert str(missing) in done.stderr
    assert f"nanobot onboard --config {missing}" in done.stderr
