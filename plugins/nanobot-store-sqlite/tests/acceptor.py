"""Accept messages until the process is killed, and print the id of each that was acknowledged.

Arguments: folder, how many at a time, and ``honest`` or ``eager``. The eager store acknowledges
before it commits, and another connection keeps its commits from happening: whoever looks for lost
messages must find that all are lost.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import sys
from pathlib import Path

from nanobot_gateway.store import InboxRow
from nanobot_testing.host import load_spec, open_spec


async def main(folder: Path, tasks: int, honest: bool) -> None:
    numbers = itertools.count()
    async with open_spec(load_spec("stores.sqlite"), {}, folder, plugin="stores.sqlite") as store:
        other = sqlite3.connect(folder / "state.db", isolation_level=None)
        if not honest:
            other.execute("BEGIN IMMEDIATE")

        async def work() -> None:
            for n in numbers:
                row = InboxRow(id=f"{n}", key=f"k{n}", session_key="s", payload=b"x" * (n % 3000))
                answer = asyncio.ensure_future(store.accept(row))
                if honest:
                    await answer
                else:
                    await asyncio.sleep(0)
                os.write(1, b"%d\n" % n)

        await asyncio.gather(*(work() for _ in range(tasks)))


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "honest"))
