"""Kill a running service repeatedly while it is used; then check what it acknowledged.

Clients upload by form and directly, in one request and in parts, trash, restore, delete, revoke
links, change albums, edit, view and ask for renditions on demand, and `safelight adopt` adopts
objects of another program. Meanwhile that
command, the server, a worker, a decoder, PostgreSQL or SeaweedFS is killed with SIGKILL. The seed
determines what is killed when and what clients do, but not how the two coincide. Afterwards nothing
that was acknowledged may be lost, and nothing may be left over.

Run as ``make torture``, or ``make torture ARGS="--seed 7 --kills 200"``; ``--faults`` instead puts
proxies in front of PostgreSQL and the store, which delay, break and truncate calls. At the end it
kills the store, and another program takes its port for a while.
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from adoption import Adopter
from calls import Caller
from clients import Client
from faults import POSTGRES, STORE, FaultInjector, open_fault_proxies
from invariants import Invariants, wait_for_jobs
from killer import Killer, schedule
from ledger import Fate, Ledger
from photos import PhotoMaker
from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs import ports
from safelight.library import Library
from support import determinism
from support.impostor import run_impostor
from support.network import free_port_for_grpc
from system import TOKEN, System
from trash import TrashInvariants

_RECOVERY_SECONDS = 180.0
_CALLS = {
    *(("form", "201"), ("complete", "201"), ("delete", "204"), ("edit", "200"), ("view", "200")),
    *(("enlarge", "307"), ("trash", "204"), ("restore", "200"), ("revoke", "204")),
    *(("bulk trash", "200"), ("create album", "201"), ("add to album", "200")),
}
"""Those that each run has to make."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--faults", action="store_true", help="inject faults instead of kills")
    parser.add_argument(
        "--rounds", type=int, default=6, help="rounds of faults, with a pause after each"
    )
    parser.add_argument(
        "--job-timeout", type=float, default=90, help="seconds to wait for jobs at the end"
    )
    parser.add_argument(
        "--folder", type=Path, default=None, help="folder to keep; by default a temporary one"
    )
    return parser.parse_args()


class Torture:
    """One run of the test."""

    def __init__(self, options: argparse.Namespace, system: System) -> None:
        self.seed: int = options.seed
        self.ledger = Ledger()
        self.invariants = Invariants(self.ledger)
        self.notes: dict[str, str] = {}
        self._options = options
        self._system = system
        self._killer = Killer(system, self.ledger, self.seed)

    async def run(self) -> None:
        """Disturb the system while it is used, then check it."""
        if self._options.faults:
            async with (
                open_fault_proxies(self._system, self.seed) as injector,
                self._system.running(),
            ):
                await self._use_during(self._faults(injector))
                self.notes |= injector.summary()
                await self._check()
        else:
            adopter = Adopter(self.seed, self._system, self.ledger)
            await adopter.store_originals()
            async with self._system.running():
                async with asyncio.TaskGroup() as group:
                    group.create_task(adopter.run())
                    await self._use_during(self._kills())
                await self._check()

    async def _use_during(self, disturbance: Coroutine[Any, Any, None]) -> None:
        """Run clients during the disturbance, until the system has recovered."""
        await self._system.wait_until_ready(within=_RECOVERY_SECONDS)
        photos = PhotoMaker(self.seed)
        callers = [
            Caller(self._system.url, TOKEN, self.ledger, excused=self._killer.excused)
            for _ in range(self._options.clients)
        ]
        clients = [
            Client(number, self.seed, photos, self.ledger, caller)
            for number, caller in enumerate(callers)
        ]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.run(stop))
            try:
                await disturbance
                await self._wait_for_each_call()
            except TimeoutError:
                self.ledger.report(f"no recovery within {_RECOVERY_SECONDS:.0f} s")
            finally:
                stop.set()
        for caller in callers:
            await caller.close()

    async def _wait_for_each_call(self) -> None:
        """Wait until each kind of call has succeeded: a short run may end sooner by chance."""
        async with asyncio.timeout(_RECOVERY_SECONDS):
            while not self.ledger.outcomes.keys() >= _CALLS:  # noqa: ASYNC110  a count has no event
                await asyncio.sleep(0.1)

    async def _kills(self) -> None:
        await self._killer.run(schedule(self.seed, self._options.kills))
        await self._killer.wait_for_recovery()
        self.notes["longest recovery"] = f"{self._killer.longest:.1f} s"

    async def _faults(self, injector: FaultInjector) -> None:
        starts = self._system.server.starts, self._system.worker.starts
        targets = itertools.cycle([(STORE,), (POSTGRES,), (STORE, POSTGRES)])
        for _, engines in zip(range(self._options.rounds), targets, strict=False):
            with injector.active(*engines):
                await asyncio.sleep(4)
                async with asyncio.timeout(_RECOVERY_SECONDS):
                    while not injector.has_injected(*engines):  # noqa: ASYNC110  nor have these
                        await asyncio.sleep(0.1)
            started_at = time.monotonic()
            await self._system.wait_until_ready(within=_RECOVERY_SECONDS)
            injector.note_recovery(time.monotonic() - started_at)
            await asyncio.sleep(0.5)
        await self._take_port()
        injector.note_recovery(await self._system.wait_until_ready(within=_RECOVERY_SECONDS))
        if (self._system.server.starts, self._system.worker.starts) != starts:
            self.ledger.report("the server or the worker ended")

    async def _take_port(self) -> None:
        """Kill the store, and let another program answer at its port for two seconds."""
        port = urlsplit(self._system.engines.s3_tls_endpoint_url).port
        pid = self._system.engine("SeaweedFS")
        assert port is not None
        assert pid is not None
        before = self._refusals()
        with run_impostor(port) as impostor:
            os.kill(pid, signal.SIGKILL)
            impostor.wait_for_ports()  # this blocks the supervisor, which would restart the store
            await asyncio.sleep(2)
            async with asyncio.timeout(_RECOVERY_SECONDS):
                while self._refusals() == before:  # noqa: ASYNC110  nor have these
                    await asyncio.sleep(0.1)
        self.notes["connections to another program"] = f"{len(impostor.received[port])}"
        if impostor.requests:
            self.ledger.report("another program received a request for the store")

    def _refusals(self) -> int:
        return sum(n for (_, what), n in self.ledger.outcomes.items() if what.startswith("503"))

    async def _check(self) -> None:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        library = Library.from_settings(self._system.settings(), worker=False)
        async with library.lifespan(None):
            done, self.notes["jobs left"] = await wait_for_jobs(
                library, within=self._options.job_timeout
            )
            self.invariants.jobs_are_done = done
            service = httpx.AsyncClient(base_url=self._system.url, headers=bearer, timeout=120)
            async with service, httpx.AsyncClient(timeout=120) as store:
                trash = TrashInvariants(self.invariants, service, store)
                await trash.check_trash()
                await self.invariants.check_photos(service, store)
                await trash.check_albums()
                await trash.check_links(library)
            for program in (self._system.server, self._system.worker):
                await program.stop()
            await self.invariants.check_counts(library, "at the end")
            await self.invariants.check_reconcile(library)
            await self.invariants.check_much_later(library)
            await self.invariants.check_counts(library, "days later")

    def table(self) -> str:
        """Return all counts as text."""
        rows = [(f"killed: {victim}", count) for victim, count in self._killer.killed.items()]
        rows += [(f"{call}: {what}", n) for (call, what), n in sorted(self.ledger.outcomes.items())]
        rows += [(f"acknowledged: {fate}", self.ledger.count(fate)) for fate in Fate]
        rows += list(self.invariants.counts.items())
        rows += list(self._system.tracebacks().items())
        lines = [f"{what:<60}{count:>8,}" for what, count in rows]
        lines += [f"{what:<50} {how:>17}" for what, how in self.notes.items()]
        lines += [f"{'slowest call':<60}{self.ledger.slowest:>6.1f} s"]
        return "\n".join([*lines, f"{'violations':<60}{len(self.ledger.violations):>8,}"])


def main() -> None:
    options = _arguments()
    if options.seed is None:
        options.seed = random.randrange(2**32)
    logging.basicConfig(level=logging.ERROR)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="safelight-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # an engine that root starts runs as another user
    engines = _engines(folder / "engines")
    started_at = time.monotonic()
    try:
        torture = Torture(options, System(engines, folder))
        asyncio.run(torture.run())
    finally:
        engines.stop()
    _print(
        f"seed {options.seed}, {(time.monotonic() - started_at) / 60:.1f} min\n{torture.table()}"
    )
    if torture.ledger.violations:
        _print("\n".join(["", *torture.ledger.violations[:100]]))
        raise SystemExit(f"invariants were violated; the logs are in {folder}")
    if options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)


def _engines(folder: Path) -> EmbeddedEngines:
    """Start engines on ports that no other program takes while they are dead."""
    folder.mkdir(mode=0o711, exist_ok=True)
    determinism.apply(determinism.worker_number())
    ports_file = folder / "ports.json"
    if not ports_file.exists():
        drawn = {part: free_port_for_grpc() for part in ports.PREFERRED}
        ports_file.write_text(json.dumps(drawn))
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    return engines


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
