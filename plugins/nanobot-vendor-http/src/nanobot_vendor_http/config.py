"""The credentials of a vendor, which its models, pictures and speech share."""

from __future__ import annotations

from nanobot.config import ProviderConfig
from pydantic import ConfigDict


class Credentials(ProviderConfig):
    """The section ``providers.<name>`` as plugins read it that need the vendor's key and address.

    The section belongs to the provider plugin of that name, which may know more keys; those are
    passed over here, and held against their own model there.
    """

    model_config = ConfigDict(extra="ignore")
