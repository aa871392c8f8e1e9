"""``nanobot channels login email`` against a real Dovecot and a real SMTP server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot_gateway.cli.channels import command
from nanobot_testing import run


@pytest.fixture
def log_in(platform: Any, tmp_path: Path, write: Any) -> Any:
    """Return a function that runs the command while a mail waits in the mailbox."""

    def go(**section: object) -> Result:
        async def inside() -> Result:
            async with platform.open():
                await platform.deliver(write("alice@example.org", "hello"))
                config = tmp_path / "config.json"
                whole = {**platform.config, **section}
                config.write_text(json.dumps({"channels": {"email": whole}}))
                config.chmod(0o600)
                arguments = ["login", "email", "-c", str(config)]
                result = await asyncio.to_thread(CliRunner().invoke, command, arguments)
                assert (await platform.flags())[0] == set(), "the mail is as it was"
                assert platform.post.envelopes == []
                return result

        return run(inside(), seconds=60)

    return go


def test_both_servers_are_tried(log_in: Any) -> None:
    result = log_in()
    assert result.exit_code == 0, result.output
    read, sent, end = result.output.splitlines()
    assert read.startswith("IMAP works: INBOX can be read at localhost:")
    assert sent.startswith("SMTP works: mails go from ") and "localhost:" in sent
    assert end == "The account in channels.email works."


def test_one_that_works_is_told_beside_one_that_does_not(log_in: Any) -> None:
    result = log_in(imapPassword="wrong-horse")
    assert result.exit_code == 1
    works, fails = result.output.splitlines()
    assert works.startswith("SMTP works")
    assert "channels.email.imapUsername" in fails and "channels.email.imapPassword" in fails
    assert "wrong-horse" not in fails


def test_all_that_is_wrong_is_told_at_once(log_in: Any) -> None:
    result = log_in(imapPassword="wrong-horse", smtpPassword="wrong-horse")
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "channels.email.imapPassword" in line and "channels.email.smtpPassword" in line
    assert "wrong-horse" not in line


def test_a_section_that_lacks_something_is_one_line(log_in: Any) -> None:
    result = log_in(consentGranted=False)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "channels.email.consentGranted" in line
