"""``python -m nanobot`` and the ``nanobot`` command."""

from __future__ import annotations

import gc
import sys

from nanobot import __version__


def main() -> None:
    """Run the command line; asking for the version imports nothing else."""
    if sys.argv[1:] in (["--version"], ["-v"]):
        print(f"nanobot {__version__}")  # noqa: T201 - this is the answer
        return
    # Collecting garbage every 700 new objects costs a tenth of the start: imports make many and
    # drop none.
    gc.set_threshold(50_000, 20, 50)
    # httpx imports its own command line, and with it rich, whenever rich is installed (60 ms).
    # A None entry makes that import fail, which httpx is written to expect.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    from nanobot._cli.main import cli

    cli.main(prog_name="nanobot")


if __name__ == "__main__":
    main()
