"""Registers advice on the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.findings import AdviceRequest, Finding


@hookimpl
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:
    """Say which sections nobody reads, which names are misspelt, and what is risky."""
    from nanobot_cli_admin.claims import unclaimed
    from nanobot_cli_admin.lint import lint

    yield from unclaimed(
        request.document, request.specs, installed=request.installed, environ=os.environ
    )
    yield from lint(request.document)
