"""Hold a section against its model, and say what is wrong without showing a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nanobot_settings.finding import Finding
from nanobot_settings.keys import (
    Path,
    all_keys,
    did_you_mean,
    error,
    kind_of,
    nearest,
    own_keys,
    spelled,
)
from nanobot_settings.masking import MASK, redact

Model = TypeVar("Model", bound=BaseModel)

_MISMATCH = ("_type", "_parsing", "_from_float", "literal_error", "enum")
_WORDS = {
    "missing": "is required",
    "model_type": "should be an object",
    "dict_type": "should be an object",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
}


def validate(
    model: type[Model], data: Any, *, path: Path = (), otherwise: Mapping[Path, Any]
) -> Model | tuple[Finding, ...]:
    """Return an instance of the model, or what is wrong.

    Args:
        data: The section; changed in place where a second reading of a value fits better.
        path: Where the section stands in the file.
        otherwise: Second readings, by path in the file, of values from the environment, where
            ``123`` may be a number or a text.
    """
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        found: dict[Path, list[ErrorDetails]] = {}
        for item in invalid.errors(include_url=False):
            found.setdefault(_place(data, item), []).append(item)
    again = [place for place in found if (*path, *place) in otherwise]
    for place in again:
        holder = data
        for part in place[:-1]:
            holder = holder[part]
        holder[place[-1]] = otherwise[(*path, *place)]
    if again:
        return validate(model, data, path=path, otherwise={})
    return tuple(
        _finding(model, data, errors, path, place)
        for place, errors in found.items()
        # Where an arm of a union came further, its error is the one to tell.
        if not any(other[: len(place)] == place != other for other in found)
    )


def _place(data: Any, error: ErrorDetails) -> Path:
    """Return the error's location as keys of the data, without the names of union arms."""
    place: list[str | int] = []
    for part in error["loc"]:
        if isinstance(data, dict) and isinstance(part, str):
            key = part if part in data else spelled(data, part)
            if key is not None:
                data = data[key]
                place.append(key)
            elif error["type"] == "missing" and part == error["loc"][-1]:
                place.append(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            place.append(part)
    return tuple(place)


def _finding(
    model: type[BaseModel], data: Any, errors: list[ErrorDetails], path: Path, place: Path
) -> Finding:
    if errors[0]["type"] == "extra_forbidden":
        nested = (key for key, _ in all_keys(model))
        near = nearest(str(place[-1]), own_keys(model) if len(place) == 1 else nested)
        return error((*path, *place), "unknown key", did_you_mean(near))
    own = [item for item in errors if item["type"] != "is_instance_of"] or errors
    words = dict.fromkeys(_worded(item, data) for item in own)
    message = " or ".join(words).replace(" or should be ", " or ")
    if own[0]["type"].endswith(_MISMATCH):
        message += f", found {kind_of(own[0]['input'])}"
    return error((*path, *place), message)


def _worded(error: ErrorDetails, data: Any) -> str:
    if error["type"] in _WORDS:
        return _WORDS[error["type"]]
    message = error["msg"]
    for prefix in ("Value error, ", "Assertion failed, ", "Input ", "String "):
        message = message.removeprefix(prefix)
    if error["type"] not in ("literal_error", "enum"):
        for text in sorted(_texts(data), key=len, reverse=True):
            message = message.replace(text, MASK)
    return redact(message)


def _texts(data: Any) -> Iterator[str]:
    """Yield the texts that a plugin's own validator might quote."""
    if isinstance(data, str) and len(data) >= 4:
        yield data
    elif isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _texts(item)
