"""Who is killed, when: a schedule that follows from the seed, and its executioner."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from ledger import Ledger
from plant import Plant

_TO_COME_BACK = 60.0
"""Seconds within which everything has to answer again after a kill."""
_EXCUSE = 1.0


class Victim(StrEnum):
    """Who may be killed."""

    SERVER = "server"
    WORKER = "worker"
    DECODER = "darkroom child"
    POSTGRES = "PostgreSQL"
    BACKEND = "PostgreSQL's child"
    STORE = "SeaweedFS"


_WEIGHTS = {
    Victim.SERVER: 26,
    Victim.WORKER: 14,
    Victim.DECODER: 18,
    Victim.POSTGRES: 15,
    Victim.BACKEND: 7,
    Victim.STORE: 20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill: `after` seconds from the one before, or from when all that was killed is back."""

    victim: Victim
    after: float
    at_once: bool
    """Whether it doesn't wait until the one before is back."""


def schedule(seed: int, count: int) -> list[Kill]:
    """Draw so many kills, the first of each kind as early as can be."""
    dice = random.Random(f"{seed}/killer")
    first = list(Victim)
    dice.shuffle(first)
    others = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=max(0, count - len(first)))
    return [
        Kill(victim=victim, after=dice.uniform(0.2, 2.5), at_once=dice.random() < 0.2)
        for victim in [*first, *others][:count]
    ]


class Killer:
    """Carries a schedule out."""

    def __init__(self, plant: Plant, ledger: Ledger, seed: int) -> None:
        self._plant = plant
        self._ledger = ledger
        self._dice = random.Random(f"{seed}/victims")
        self._decoders_killed: list[float] = []
        self.killed: Counter[Victim] = Counter()
        self.longest = 0.0
        """Seconds until everything answered again, at the most."""

    async def carry_out(self, kills: list[Kill]) -> None:
        """Kill them one after the other. TimeoutError if something doesn't come back."""
        for kill in kills:
            if not kill.at_once:
                await self.recovery()
            await asyncio.sleep(kill.after)
            while not await self._kill(kill.victim):  # noqa: ASYNC110  it is not there yet again
                await asyncio.sleep(0.05)
            self.killed[kill.victim] += 1

    async def recovery(self) -> None:
        """Wait until everything is back."""
        self.longest = max(self.longest, await self._plant.back(within=_TO_COME_BACK))

    def excused(self, since: float) -> bool:
        """Whether darkroom's children were killed since a moment: one is forgiven."""
        return sum(at > since - _EXCUSE for at in self._decoders_killed) > 1

    async def _kill(self, victim: Victim) -> bool:
        pid = await self._found(victim)
        if pid is None:
            return False
        if victim is Victim.DECODER:
            self._decoders_killed.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    async def _found(self, victim: Victim) -> int | None:
        if victim is Victim.SERVER:
            return self._plant.server.pid
        if victim is Victim.WORKER:
            return self._plant.worker.pid
        if victim is Victim.DECODER:
            return await self._plant.decoder(self._dice)
        if victim is Victim.BACKEND:
            return self._plant.backend(self._dice)
        return self._plant.engine(victim)
