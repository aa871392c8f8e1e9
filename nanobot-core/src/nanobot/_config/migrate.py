"""Older spellings of settings, moved to where they are now."""

from __future__ import annotations

import copy
from typing import Any

from nanobot_settings.keys import lookup, spelled

from nanobot.findings import Finding

MOVES = {
    "agents.defaults.sessionTtlMinutes": "agents.defaults.idleCompactAfterMinutes",
    "channels.showToolProgress": "channels.sendToolHints",
    "channels.transcriptionLanguage": "transcription.language",
    "channels.transcriptionProvider": "transcription.provider",
    "tools.allowLocalPreviewAccess": "tools.webuiAllowLocalServiceAccess",
    "tools.exec.restrictToWorkspace": "tools.restrictToWorkspace",
    "tools.file": "tools.files",
    "tools.myEnabled": "tools.my.enabled",
    "tools.mySet": "tools.my.allowSet",
    "tools.workspaceTools": "tools.workspace.trust",
}


def migrate(data: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return a copy with older spellings moved, and what to say; where both stand, none moves."""
    data = copy.deepcopy(data)
    findings = []
    for old, new in MOVES.items():
        *parents, last = old.split(".")
        source = lookup(data, parents)
        key = spelled(source, last)
        if key is None:
            continue
        target, name = _home(data, new)
        if target is not None and name not in target:
            target[name] = source.pop(key)
            findings.append(Finding(path=old, severity="info", message=f"is now {new}"))
        elif target is not None:
            message = f"has no effect: {new}, which replaces it, is set too"
            findings.append(Finding(path=old, severity="warning", message=message))
    return data, findings


def _home(data: Any, path: str) -> tuple[dict[str, Any] | None, str]:
    """Return the object that is to hold a setting, made if need be, and the setting's key."""
    *parents, last = path.split(".")
    for part in parents:
        if not isinstance(data, dict):
            return None, last
        data = data.setdefault(spelled(data, part) or part, {})
    return (data, spelled(data, last) or last) if isinstance(data, dict) else (None, last)
