"""Kill a running service again and again while it is used; then ask what it acknowledged.

Clients upload by form and direct, in one request and in parts, delete, edit and look, while the
server, a worker, a decoder, PostgreSQL or SeaweedFS is killed with -9. What is killed when, and
what clients do, follows from the seed; how it all falls together doesn't. Afterwards nothing that
was acknowledged may be lost, and nothing may be left over.

Run as ``make torture``, or ``make torture ARGS="--seed 7 --kills 200"``; ``--faults`` puts a proxy
before PostgreSQL and one before the store instead, which delay, break and spoil what passes.
"""

import argparse
import asyncio
import itertools
import json
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx

from calls import Caller
from clients import Client
from faults import POSTGRES, STORE, Weather, stormy
from killers import Killer, schedule
from ledger import Fate, Ledger
from plant import TOKEN, Plant
from portraits import Portraits
from safelight.engines import EmbeddedEngines, ports
from safelight.library import Library
from verdict import Verdict, quiet

_TO_COME_BACK = 60.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--faults", action="store_true", help="spoil what passes, and kill nothing")
    parser.add_argument("--rounds", type=int, default=6, help="of faults, with a pause after each")
    parser.add_argument(
        "--patience", type=float, default=90, help="seconds that jobs may take in the end"
    )
    parser.add_argument(
        "--folder", type=Path, default=None, help="kept; by default a temporary one"
    )
    return parser.parse_args()


class Torture:
    """One run."""

    def __init__(self, asked: argparse.Namespace, plant: Plant) -> None:
        self.seed: int = asked.seed
        self.ledger = Ledger()
        self.verdict = Verdict(self.ledger)
        self.told: dict[str, str] = {}
        self._asked = asked
        self._plant = plant
        self._killer = Killer(plant, self.ledger, self.seed)

    async def run(self) -> None:
        """Torture, and judge."""
        if self._asked.faults:
            async with stormy(self._plant, self.seed) as weather, self._plant.running():
                await self._used(self._faults(weather))
                self.told |= weather.told()
                await self._judged()
        else:
            async with self._plant.running():
                await self._used(self._kills())
                await self._judged()

    async def _used(self, torment: Coroutine[Any, Any, None]) -> None:
        """Have clients use it while something goes on, and wait until all is well again."""
        await self._plant.back(within=_TO_COME_BACK)
        portraits = Portraits(self.seed)
        callers = [
            Caller(self._plant.url, TOKEN, self.ledger, excused=self._killer.excused)
            for _ in range(self._asked.clients)
        ]
        clients = [
            Client(number, self.seed, portraits, self.ledger, caller)
            for number, caller in enumerate(callers)
        ]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.live(over))
            try:
                await torment
            except TimeoutError:
                self.ledger.accuse(f"it is not back after {_TO_COME_BACK:.0f} s")
            finally:
                over.set()
        for caller in callers:
            await caller.close()

    async def _kills(self) -> None:
        await self._killer.carry_out(schedule(self.seed, self._asked.kills))
        await self._killer.recovery()
        self.told["longest recovery"] = f"{self._killer.longest:.1f} s"

    async def _faults(self, weather: Weather) -> None:
        starts = self._plant.server.starts, self._plant.worker.starts
        before = itertools.cycle([(STORE,), (POSTGRES,), (STORE, POSTGRES)])
        for _, whom in zip(range(self._asked.rounds), before, strict=False):
            with weather.bad(*whom):
                await asyncio.sleep(4)
            began = time.monotonic()
            await self._plant.back(within=_TO_COME_BACK)
            weather.recovered(time.monotonic() - began)
            await asyncio.sleep(0.5)
        if (self._plant.server.starts, self._plant.worker.starts) != starts:
            self.ledger.accuse("the server or the worker ended by itself")

    async def _judged(self) -> None:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        library = Library.from_settings(self._plant.settings(), worker=False)
        async with library.lifespan(None):
            done, self.told["jobs left"] = await quiet(library, within=self._asked.patience)
            self.verdict.jobs_are_done = done
            service = httpx.AsyncClient(base_url=self._plant.url, headers=bearer, timeout=30)
            async with service, httpx.AsyncClient(timeout=30) as store:
                await self.verdict.photos(service, store)
            for program in (self._plant.server, self._plant.worker):
                await program.stop()
            await self.verdict.reconciled(library)
            await self.verdict.much_later(library)

    def table(self) -> str:
        """Tell all that was counted."""
        rows = [(f"killed: {victim}", count) for victim, count in self._killer.killed.items()]
        rows += [(f"{call}: {what}", n) for (call, what), n in sorted(self.ledger.outcomes.items())]
        rows += [(f"acknowledged: {fate}", self.ledger.count(fate)) for fate in Fate]
        rows += list(self.verdict.counts.items())
        rows += list(self._plant.tracebacks().items())
        told = [f"{what:<60}{count:>8,}" for what, count in rows]
        told += [f"{what:<50} {how:>17}" for what, how in self.told.items()]
        told += [f"{'slowest call':<60}{self.ledger.slowest:>6.1f} s"]
        return "\n".join([*told, f"{'wrong':<60}{len(self.ledger.wrong):>8,}"])


def main() -> None:
    asked = _arguments()
    if asked.seed is None:
        asked.seed = random.randrange(2**32)
    logging.basicConfig(level=logging.ERROR)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="safelight-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # an engine that root starts runs as somebody else
    engines = _engines(folder / "engines")
    began = time.monotonic()
    try:
        torture = Torture(asked, Plant(engines, folder))
        asyncio.run(torture.run())
    finally:
        engines.stop()
    _say(f"seed {asked.seed}, {(time.monotonic() - began) / 60:.1f} min\n{torture.table()}")
    if torture.ledger.wrong:
        _say("\n".join(["", *torture.ledger.wrong[:100]]))
        raise SystemExit(f"not everything held; the logs lie in {folder}")
    if asked.folder is None:
        shutil.rmtree(folder, ignore_errors=True)


def _engines(folder: Path) -> EmbeddedEngines:
    """Start engines at ports that nobody takes while they are dead, as the usual ones may be."""
    folder.mkdir(mode=0o711, exist_ok=True)
    drawn = iter(random.sample(range(12_000, 22_000), len(ports.USUAL)))
    note = folder / "ports.json"
    if not note.exists():
        note.write_text(json.dumps({part: next(drawn) for part in ports.USUAL}))
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    return engines


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
