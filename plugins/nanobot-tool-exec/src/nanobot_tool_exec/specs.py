"""What plugins of kind ``sandboxes`` offer, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.specs import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSpec(Spec):
    """A way to confine programs; its factory opens a `nanobot_tool_exec.sandbox.Sandbox`.

    Args:
        order: Where it stands when the owner leaves the choice open; lower is asked first.
    """

    order: int = 100
