"""What the user is told when no provider can be asked for a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nanobot.admin import Status, install_hint
from nanobot.errors import ConfigError, NanobotError, PluginMissing
from nanobot.specs import ProviderSpec
from nanobot_settings.spelling import camel


def missing(name: str, statuses: Iterable[Status], *, adopted: bool = False) -> PluginMissing:
    """Return the refusal of a provider that the configuration names and nothing serves.

    Args:
        adopted: There is a section for it that a general provider would take.
    """
    id = f"providers.{name}"
    providers = {s.entry.name: s for s in statuses if s.entry.kind == "providers"}
    if name in providers:
        status = providers[name]
        what = f"provider {name!r} is installed, but {status.state}: {status.reason}"
        return PluginMissing(what, plugin=id, remedy=f"nanobot plugins check {id}")
    usable = sorted(name for name, status in providers.items() if status.state.usable)
    hint = install_hint("providers", "custom" if adopted else name)
    return PluginMissing(
        f"provider {name!r} is not installed (agents.defaults.provider, or a preset)",
        plugin=id,
        remedy=f"{hint}   Installed: {', '.join(usable) or 'none'}.",
    )


def no_key(spec: ProviderSpec, model: str) -> ConfigError:
    """Return the refusal of a model whose provider has no key."""
    keys = " or ".join(spec.env_keys) or "its key"
    return ConfigError(
        f"provider {spec.name!r} has no key, so model {model!r} can not be asked",
        remedy=f"Set {keys} in the environment, or "
        f"nanobot config set providers.{camel(spec.name)}.apiKey KEY; or name who else has it "
        "with agents.defaults.provider",
    )


def no_model(provider: str) -> ConfigError:
    """Return the refusal of a provider for which no model is named and none is known."""
    return ConfigError(
        f"provider {provider!r} has no default model",
        remedy="Name one: nanobot config set agents.defaults.model MODEL",
    )


def no_provider(
    model: str,
    prefix: str,
    reason: str,
    keys: Iterable[str] = (),
    vendors: Sequence[str] = (),
) -> NanobotError:
    """Return the refusal of a model that no provider answers for.

    Args:
        reason: Why a provider that is set up can not be used, empty when there is none.
        keys: Environment variables that would give an installed provider its key.
        vendors: Providers that are set up, and whose models it is not known to be.
    """
    if reason:
        return ConfigError(f"no provider can be asked for model {model!r}: {reason}")
    if not model:
        wanted = " or ".join(keys)
        return ConfigError(
            "no model is set up, and nothing that is installed can answer without one",
            remedy=f"Set {wanted} in the environment (its provider is installed), or: "
            "nanobot onboard"
            if wanted
            else "pip install nanobot-bundle-standard   or the provider that you want, "
            "nanobot-provider-<vendor>; then set its key (nanobot status shows what is there)",
        )
    if vendors:
        more = f", or: {install_hint('providers', prefix)}" if prefix else ""
        return ConfigError(
            f"none of the providers that are set up ({', '.join(vendors)}) is known for model "
            f"{model!r}",
            remedy=f"Say whose it is, as in {vendors[0]}/{model}, or with "
            f"agents.defaults.provider{more}",
        )
    hint = install_hint("providers", prefix) if prefix else "nanobot status shows them"
    return ConfigError(
        f"no provider is configured for model {model!r}",
        remedy=f"Name one with agents.defaults.provider, or install it: {hint}",
    )
