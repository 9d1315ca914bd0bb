"""Kill processes by a schedule that follows from the seed."""

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
from system import System

_RECOVERY_SECONDS = 180.0
"""Seconds within which everything must respond again after a kill."""
_EXCUSE_SECONDS = 1.0


class Victim(StrEnum):
    """A process that may be killed."""

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
    """One kill: `after` seconds after the one before, or after the recovery from it."""

    victim: Victim
    after: float
    at_once: bool
    """If set, the kill doesn't wait for the recovery from the one before."""


def schedule(seed: int, count: int) -> list[Kill]:
    """Draw `count` kills, which begin with one of each kind."""
    rng = random.Random(f"{seed}/killer")
    victims = list(Victim)
    rng.shuffle(victims)
    others = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=max(0, count - len(victims)))
    return [
        Kill(victim=victim, after=rng.uniform(0.2, 2.5), at_once=rng.random() < 0.2)
        for victim in [*victims, *others][:count]
    ]


class Killer:
    """Kills processes by a schedule."""

    def __init__(self, system: System, ledger: Ledger, seed: int) -> None:
        self._system = system
        self._ledger = ledger
        self._rng = random.Random(f"{seed}/victims")
        self._decoders_killed: list[float] = []
        self.killed: Counter[Victim] = Counter()
        self.longest = 0.0
        """The longest recovery, in seconds."""

    async def run(self, kills: list[Kill]) -> None:
        """Kill one process after another. Raises TimeoutError if the system doesn't recover."""
        for kill in kills:
            if not kill.at_once:
                await self.wait_for_recovery()
            await asyncio.sleep(kill.after)
            while not await self._kill(kill.victim):  # noqa: ASYNC110  a process has no event
                await asyncio.sleep(0.05)
            self.killed[kill.victim] += 1

    async def wait_for_recovery(self) -> None:
        """Wait until everything answers."""
        self.longest = max(
            self.longest, await self._system.wait_until_ready(within=_RECOVERY_SECONDS)
        )

    def excused(self, since: float) -> bool:
        """Return whether several decoders were killed since a moment: one kill is retried."""
        return sum(at > since - _EXCUSE_SECONDS for at in self._decoders_killed) > 1

    async def _kill(self, victim: Victim) -> bool:
        pid = await self._find(victim)
        if pid is None:
            return False
        if victim is Victim.DECODER:
            self._decoders_killed.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    async def _find(self, victim: Victim) -> int | None:
        if victim is Victim.SERVER:
            return self._system.server.pid
        if victim is Victim.WORKER:
            return self._system.worker.pid
        if victim is Victim.DECODER:
            return await self._system.decoder(self._rng)
        if victim is Victim.BACKEND:
            return self._system.backend(self._rng)
        return self._system.engine(victim)
