"""The rules: which provider answers for a model id that names none.

Order: the prefix, a keyword of the model's name, a server of the user's own, a gateway, the only
vendor that is set up. Where several fit alike, those that the configuration names come first, in
the order in which it names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nanobot.routing import Candidate, Route, RouteRequest

from nanobot_router_standard.detection import is_at

SETUP_HINT = (
    "No model is set up, so the built-in offline assistant answers. For a real one: "
    "pip install nanobot-provider-openai, then set OPENAI_API_KEY, or run: nanobot onboard"
)

Candidates = Mapping[str, Candidate]


def choose(request: RouteRequest) -> Route | None:
    """Answer a route request; None when no provider fits."""
    everybody = _in_order(request.candidates)
    usable = {name: c for name, c in everybody.items() if c.has_key}
    model = request.model
    if not model:
        return _default(usable)
    found = _by_prefix(model, usable) or _by_keyword(model, everybody)
    if found:
        return found
    servers, gateways = _own_servers(usable), _gateways(usable, everybody)
    ways = [servers, gateways, _only_vendor(usable)]
    if prefix_of(model) in everybody:
        ways = [gateways, servers]  # it says whose it is, and a gateway understands that
    for way in ways:
        for name, candidate in way.items():
            return Route(provider=name, model=model, reason=why(name, candidate))
    return None


def prefix_of(model: str) -> str:
    """Return what stands before the first slash as a provider's name, empty without one."""
    prefix, slash, _ = model.partition("/")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", prefix)
    return words.replace("-", "_").lower() if slash else ""


def vendors_set_up(usable: Candidates) -> dict[str, Candidate]:
    """Return the vendors with a key in their order, one for each key that several share."""
    found: dict[str, tuple[str, Candidate]] = {}
    for name, candidate in _in_order(usable).items():
        if candidate.has_key and candidate.spec.needs_key:
            found.setdefault(candidate.env_key or name, (name, candidate))
    return dict(found.values())


def why(name: str, candidate: Candidate) -> str:
    """Say how a provider is set up."""
    return f"{candidate.env_key} is set" if candidate.env_key else f"providers.{name} is configured"


def _by_prefix(model: str, usable: Candidates) -> Route | None:
    name, rest = prefix_of(model), model.partition("/")[2]
    if rest and name in usable:
        return Route(provider=name, model=rest, reason=f"the model's prefix names {name}")
    return None


def _by_keyword(model: str, everybody: Candidates) -> Route | None:
    """Match whole words in a row; the longest keyword wins, and says whose model it is.

    ``spark-max`` has nothing to do with ``ark``, and ``volcengine-plan/x`` is not for
    ``volcengine``, with or without a key for the plan.
    """
    for name, keyword in owners(model, everybody).items():
        if everybody[name].has_key:
            reason = f"the model's name contains {keyword!r}"
            return Route(provider=name, model=model, reason=reason)
    return None


def owners(model: str, everybody: Candidates) -> dict[str, str]:
    """Return whose model it is by its name, with the keyword that says so; the key matters not."""
    text = _words(model)
    found = [
        (len(keyword), name, keyword)
        for name, candidate in everybody.items()
        for keyword in candidate.spec.keywords
        if _words(keyword) in text
    ]
    longest = max((length for length, _, _ in found), default=0)
    return {name: keyword for length, name, keyword in found if length == longest}


def _words(text: str) -> str:
    """Return the words of a text between single blanks, so that whole ones can be found."""
    return f" {' '.join(re.split(r'[^a-z0-9]+', text.lower())).strip()} "


def _own_servers(usable: Candidates) -> dict[str, Candidate]:
    return {
        name: candidate
        for name, candidate in usable.items()
        if candidate.base_url and not candidate.spec.needs_key and not candidate.spec.last_resort
    }


def _gateways(usable: Candidates, everybody: Candidates) -> dict[str, Candidate]:
    """Return the gateways with a key, by their kind or by the address that is configured."""
    hosts = [host for c in everybody.values() if c.spec.gateway for host in c.spec.base_hosts]
    return {
        name: candidate
        for name, candidate in usable.items()
        if (candidate.spec.gateway and candidate.spec.needs_key)
        or (candidate.base_url and _at_any(candidate.base_url, hosts))
    }


def _only_vendor(usable: Candidates) -> dict[str, Candidate]:
    """Return the vendor when there is no choice: it alone is configured, or has a key."""
    vendors = vendors_set_up(usable)
    configured = {name: candidate for name, candidate in vendors.items() if candidate.configured}
    chosen = configured or vendors
    return chosen if len(chosen) == 1 else {}


def _at_any(url: str, hosts: Iterable[str]) -> bool:
    return any(is_at(url, host) for host in hosts)


def _default(usable: Candidates) -> Route | None:
    """Take a vendor that says what to begin with, else a server of the user's own."""
    vendors = [
        (name, candidate)
        for name, candidate in vendors_set_up(usable).items()
        if candidate.spec.default_model
    ]
    vendors.sort(key=lambda vendor: vendor[1].spec.gateway)
    for name, candidate in (*vendors, *_own_servers(usable).items()):
        return Route(provider=name, model=candidate.spec.default_model, reason=why(name, candidate))
    for name, candidate in usable.items():
        if candidate.spec.last_resort:
            return Route(provider=name, model=candidate.spec.default_model, reason=SETUP_HINT)
    return None


def _in_order(candidates: Candidates) -> dict[str, Candidate]:
    """Return the candidates, those in the configuration before the others."""
    return dict(sorted(candidates.items(), key=lambda item: not item[1].configured))
