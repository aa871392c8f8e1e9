"""The configuration file: read, migrated, overlaid, validated; edited and saved.

`load` gives a `Config`; `claims.check` lists what is wrong with plugins' sections, `edit` changes
the file, `jsonschema` describes it.
"""

from nanobot._config.claims import check
from nanobot._config.config import Config, build, load, section_path
from nanobot._config.findings import Finding, listed

__all__ = ["Config", "Finding", "build", "check", "listed", "load", "section_path"]
