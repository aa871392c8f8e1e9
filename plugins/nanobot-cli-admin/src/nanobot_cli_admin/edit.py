"""Change the configuration file: what `nanobot config` and `nanobot onboard` do to it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nanobot.admin import Config, CoreSettings, Document, build, save_document, section_path
from nanobot.config import Secret
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot.log import redact
from nanobot.specs import Spec
from nanobot_documents import strict_json
from nanobot_settings.environment import is_secret_name
from nanobot_settings.keys import all_keys, canonical, listed, lookup, spelled
from nanobot_settings.masking import MASK
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from nanobot_cli_admin.claims import check

Specs = Mapping[str, Iterable[Spec]]


def get(config: Config, path: str, *, specs: Specs) -> Any:
    """Return the value at a dotted path, or its default, with secrets masked.

    Raises:
        ConfigError: There is no such setting.
    """
    parts = _parts(path)
    for data in (config.effective, defaults(specs)):
        holder = lookup(data, parts[:-1])
        key = spelled(holder, parts[-1])
        if key is not None:
            return _masked(holder[key], key, _secret_keys(specs))
    raise ConfigError(f"{path}: there is no such setting", remedy="See nanobot config schema.")


def put(config: Config, path: str, text: str, *, specs: Specs) -> tuple[Document, list[Finding]]:
    """Set the value at a dotted path and save; the text is JSON where that fits, else a string.

    Returns:
        The saved document and what there is to say of the change.

    Raises:
        ConfigError: The result would not be valid; nothing was saved.
    """
    try:
        value = strict_json.loads(text)
    except strict_json.JsonError:
        value = text
    try:
        return _checked(config, _with(config, path, value), specs)
    except ConfigError as refused:
        # A key of digits alone is a text all the same.
        try:
            return _checked(config, _with(config, path, text), specs)
        except ConfigError:
            raise refused from None


def _with(config: Config, path: str, value: Any) -> dict[str, Any]:
    """Return the document's data with a value set."""
    *parents, last = _parts(path)
    data = copy.deepcopy(config.document.data)
    holder: Any = data
    for part in (*parents, last):
        if not isinstance(holder, dict):
            raise ConfigError(f"{path}: a part of the path is not an object")
        parent, key = holder, spelled(holder, part) or part
        holder = holder.setdefault(key, {})
    parent[key] = value
    return data


def unset(config: Config, path: str, *, specs: Specs) -> tuple[Document, list[Finding]]:
    """Remove the value at a dotted path and save, as `put` does."""
    *parents, last = _parts(path)
    data = copy.deepcopy(config.document.data)
    holder = lookup(data, parents)
    key = spelled(holder, last)
    if key is None:
        raise ConfigError(f"{path}: is not set")
    del holder[key]
    return _checked(config, data, specs)


def _checked(config: Config, data: dict[str, Any], specs: Specs) -> tuple[Document, list[Finding]]:
    """Save the data if it has no error that was not there before."""
    known = {*config.findings, *check(config, specs)}
    changed = build(replace(config.document, data=data), environ=config.environ)
    news = [item for item in (*changed.findings, *check(changed, specs)) if item not in known]
    errors = [item for item in news if item.severity == "error"]
    if errors:
        raise ConfigError(f"nothing was saved: {listed(errors)}")
    return write(config.document, data, specs=specs), news


def write(document: Document, data: dict[str, Any], *, specs: Specs) -> Document:
    """Save the data with every known key in camelCase; the file must be as it was read.

    Raises:
        ConfigError: The file was changed meanwhile, or can not be written.
    """
    data = copy.deepcopy(canonical(data, CoreSettings))
    for kind, offered in specs.items():
        for spec in offered:
            *parents, last = section_path(spec, kind)
            holder = lookup(data, parents)
            key = spelled(holder, last)
            if key is not None:
                entries = [
                    (last, canonical(item, spec.config)) if name == key else (name, item)
                    for name, item in holder.items()
                ]
                holder.clear()
                holder.update(entries)
    return save_document(document, data)


def add_missing(data: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with the defaults that it lacks; what is there stays, whatever it is."""
    data = dict(data)
    for name, value in defaults.items():
        key = "enable" if name == "enabled" and "enable" in data else spelled(data, name)
        if key is None:
            data[name] = copy.deepcopy(value)
        elif isinstance(value, dict) and isinstance(data[key], dict):
            data[key] = add_missing(data[key], value)
    return data


def defaults(specs: Specs) -> dict[str, Any]:
    """Return the configuration that says what is true without one."""
    data = _defaults(CoreSettings)
    for kind, offered in specs.items():
        for spec in offered:
            *parents, last = section_path(spec, kind)
            holder = data
            for part in parents:
                holder = holder.setdefault(part, {})
            holder[last] = _defaults(spec.config)
    return data


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {
        field.alias or name: to_jsonable_python(
            field.get_default(call_default_factory=True), by_alias=True, fallback=lambda value: None
        )
        for name, field in model.model_fields.items()
        if not field.is_required()
    }


def _parts(path: str) -> list[str]:
    parts = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", path)]
    if not all(parts):
        raise ConfigError("the path has an empty part", remedy="Write it as section.name.field.")
    return parts


def _secret_keys(specs: Specs) -> set[str]:
    models = [CoreSettings, *(spec.config for offered in specs.values() for spec in offered)]
    return {key for model in models for key, kind in all_keys(model) if kind is Secret}


def _masked(value: Any, key: str, secrets: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, name, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, key if key in secrets else "", secrets) for item in value]
    if not isinstance(value, str) or re.fullmatch(r"\$\{\w+\}", value):
        return value
    return MASK if value and (key in secrets or is_secret_name(key)) else redact(value)
