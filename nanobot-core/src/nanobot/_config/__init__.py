"""The configuration file: read, migrated, overlaid, validated, saved."""

from nanobot._config.config import Config, build, load

__all__ = ["Config", "build", "load"]
