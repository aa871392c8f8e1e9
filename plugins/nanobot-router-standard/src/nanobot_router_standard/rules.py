"""The rules: which provider answers for a model id that names none.

Order: the prefix, a keyword of the model's name, a configured server of the user's own, any
provider with a key, the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nanobot.routing import Candidate, Route, RouteRequest

SETUP_HINT = (
    "No model is set up, so the built-in offline assistant answers. For a real one: "
    "pip install nanobot-provider-openai, then set OPENAI_API_KEY, or run: nanobot onboard"
)


def choose(request: RouteRequest) -> Route | None:
    """Answer a route request; None when no provider fits."""
    usable = {name: c for name, c in request.candidates.items() if c.has_key}
    if not request.model:
        return _default(usable)
    return (
        _by_prefix(request.model, usable)
        or _by_keyword(request.model, usable)
        or _any_set_up(request.model, usable)
    )


def _by_prefix(model: str, usable: Mapping[str, Candidate]) -> Route | None:
    prefix, _, rest = model.partition("/")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", prefix).replace("-", "_").lower()
    if rest and name in usable:
        return Route(provider=name, model=rest, reason=f"the model's prefix names {name}")
    return None


def _by_keyword(model: str, usable: Mapping[str, Candidate]) -> Route | None:
    """Match whole tokens: ``spark-max`` has nothing to do with the keyword ``ark``."""
    tokens = set(re.split(r"[^a-z0-9]+", model.lower()))
    for name, candidate in _in_order(usable).items():
        for keyword in candidate.spec.keywords:
            wanted = re.split(r"[^a-z0-9]+", keyword.lower())
            if set(wanted) <= tokens:
                return Route(
                    provider=name, model=model, reason=f"the model's name contains {keyword!r}"
                )
    return None


def _any_set_up(model: str, usable: Mapping[str, Candidate]) -> Route | None:
    """Take a server that the user configured, else a provider for which there is a key."""
    for own_server in (True, False):
        for name, candidate in _in_order(usable).items():
            local = not candidate.spec.needs_key
            fits = bool(candidate.base_url) if own_server else not local
            if fits and local == own_server and not candidate.spec.last_resort:
                return Route(provider=name, model=model, reason=_why(name, candidate))
    return None


def _default(usable: Mapping[str, Candidate]) -> Route | None:
    for name, candidate in _in_order(usable).items():
        spec = candidate.spec
        if spec.needs_key and spec.default_model:
            return Route(provider=name, model=spec.default_model, reason=_why(name, candidate))
    for name, candidate in _in_order(usable).items():
        if candidate.base_url and not candidate.spec.last_resort:  # a server of the user's own
            return Route(
                provider=name, model=candidate.spec.default_model, reason=_why(name, candidate)
            )
    for name, candidate in usable.items():
        if candidate.spec.last_resort:
            return Route(provider=name, model=candidate.spec.default_model, reason=SETUP_HINT)
    return None


def _in_order(usable: Mapping[str, Candidate]) -> dict[str, Candidate]:
    """Return the candidates, those in the configuration before those from the environment."""
    return dict(sorted(usable.items(), key=lambda item: (not item[1].configured, item[0])))


def _why(name: str, candidate: Candidate) -> str:
    if candidate.env_key:
        return f"{candidate.env_key} is set"
    return f"providers.{name} is configured"
