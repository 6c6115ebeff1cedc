"""A process that writes to a ledger until it is killed, and says on stdout which decisions were acknowledged.

`python -m tests.pratique.ledger_writer FILE strict|relaxed`
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from pratique.ledger import Durability, Ledger
from tests.support.decisions import evaluation, fresh

CLIENTS = 20


async def write(path: Path, durability: Durability) -> None:
    """Record decisions from `CLIENTS` tasks for ever; a line with the id follows each acknowledgement."""
    ledger = Ledger.open(path, durability=durability, logs=False)
    numbers = itertools.count()

    async def client() -> None:
        while True:
            decision = fresh(evaluation(), seconds=next(numbers) / 1000)
            await ledger.record(decision)
            os.write(1, f"{decision.id}\n".encode())
            await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), "relaxed" if sys.argv[2] == "relaxed" else "strict"))
