"""What must hold once everything is back, asked of the service, of the rows and of the bucket.

Nothing here trusts the reconciler: after it, rows and objects are compared once more, plainly.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Fate, Ledger, Record, digest
from safelight import keys
from safelight.library import Library
from safelight.library.findings import Finding, Kind, Plan
from safelight.library.incoming import Incoming
from safelight.library.sweep import Sweep
from safelight.photo import Status
from safelight.tables import photos, uploads

Rows = dict[str, tuple[str, set[str]]]
"""Of each row its status and the keys that it names, by its name."""

_PAGE = 500
_AT_ONCE = 4
_PROBE = "ready"
"""What the embedded engines write, and delete, to see whether the store is ready."""
_MUCH_LATER = timedelta(days=3)
_MISSING = (Kind.LOST, Kind.DAMAGED, Kind.DISPLACED, Kind.UNDEVELOPED)


@dataclass
class Verdict:
    """What was counted, and what was wrong."""

    ledger: Ledger
    counts: Counter[str] = field(default_factory=Counter)
    jobs_are_done: bool = False
    """Whether nothing that was put off for later is left."""

    def accuse(self, what: str) -> None:
        self.ledger.accuse(what)

    async def photos(self, service: httpx.AsyncClient, store: httpx.AsyncClient) -> None:
        """Ask the service for every photo, and fetch each that is there by its link."""
        listed = await _listed(service)
        by_sha256 = {photo["sha256"]: photo for photo in listed}
        self.counts["photos listed"] = len(listed)
        if len(by_sha256) != len(listed):
            self.accuse("the same bytes are listed twice")
        for sha256 in by_sha256.keys() - self.ledger.records.keys():
            self.accuse(f"photo {by_sha256[sha256]['id']} was never sent")
        turns = asyncio.Semaphore(_AT_ONCE)

        async def judged(record: Record) -> None:
            async with turns:
                photo = by_sha256.get(record.sha256)
                if record.fate is Fate.GONE:
                    await self._gone(service, store, record, photo)
                else:
                    await self._there(store, record, photo)

        await asyncio.gather(*map(judged, self.ledger.records.values()))

    async def _there(
        self, store: httpx.AsyncClient, record: Record, photo: dict[str, Any] | None
    ) -> None:
        there = "there" if photo else "not there"
        self.counts[f"{record.fate}, {there}"] += 1
        if photo is None:
            if record.fate is Fate.KEPT:
                self.accuse(f"photo {record.id} was acknowledged, and is not listed")
            return
        if record.fate is Fate.KEPT and photo["id"] != record.id:
            self.accuse(f"photo {record.id} was acknowledged, and is now {photo['id']}")
        if photo["title"] not in record.titles:
            self.accuse(f"photo {photo['id']} has a title that nobody gave it last")
        urls = [photo["original_url"], *(each["url"] for each in photo["renditions"])]
        answers = [await store.get(url) for url in urls]
        self.counts["objects fetched"] += len(answers)
        if digest(answers[0].content) != record.sha256:
            self.accuse(f"the original of photo {photo['id']} has another SHA-256")
        for answer in answers:
            if not answer.is_success:
                self.accuse(f"a link of photo {photo['id']} gives {answer.status_code}")

    async def _gone(
        self,
        service: httpx.AsyncClient,
        store: httpx.AsyncClient,
        record: Record,
        photo: dict[str, Any] | None,
    ) -> None:
        self.counts["gone"] += 1
        if photo is not None:
            self.accuse(f"photo {photo['id']} was deleted, and is listed")
        if record.id is None or record.url is None:  # an upload that was aborted
            return
        answer = await service.get(f"/api/photos/{record.id}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            self.accuse(f"photo {record.id} was deleted, and gives {answer.status_code}")
        link = await store.get(record.url)
        if link.is_success:
            self.counts["gone, its link still good before the reconcile"] += 1
            if self.jobs_are_done:
                self.accuse(f"photo {record.id} was deleted, and its link is good")

    async def reconciled(self, library: Library) -> None:
        """Reconcile with no grace: first only look, then put right; then look by other means."""
        for told in await self._run(library, Plan(grace=timedelta(0), verify=True)):
            self.counts[f"reconcile: {told.kind} found"] += 1
            if told.kind in _MISSING:
                self.accuse(f"{told.key} is {told.kind} {told.detail}")
            if told.kind == Kind.UNNAMED and told.photo is None:
                self.accuse(f"{told.key} was written before its row")
        for told in await self._run(library, Plan(grace=timedelta(0), apply=True)):
            self.counts[f"reconcile: {told.kind} put right"] += told.mended
        await self._compared(library, "after the reconcile")
        rows = await _rows(library)
        self.counts["rows, pending"] = _number(rows, Status.PENDING)
        self.counts["rows, tombstones"] = _number(rows, Status.DELETED)
        await self._purged(library)

    async def _run(self, library: Library, plan: Plan) -> list[Finding]:
        told = library.reconciler.run(plan)
        return [each async for each in told if isinstance(each, Finding)]

    async def _purged(self, library: Library) -> None:
        """Hold what was deleted against the bucket.

        A rendition that a job wrote after the deletion, and then died, nobody has a link to: it
        goes with the second sweep.
        """
        rows, stored = await _rows(library), await _objects(library, keys.PHOTOS)
        gone = {_name(each.url): each for each in self.ledger.gone() if each.url}
        for key in stored:
            name = key.split("/")[1]
            if name in gone and key in rows.get(name, ("", {keys.original(name)}))[1]:
                self.accuse(f"photo {gone[name].id} was deleted, and {key} is stored")
            self.counts["objects left to the second sweep"] += name in gone

    async def much_later(self, library: Library) -> None:
        """Do what the minutely job does, when everything that was given up is over."""
        parts = library.parts
        for times in (1, 2):
            later = datetime.now(UTC) + times * _MUCH_LATER
            sweep = Sweep(parts.catalog, parts.storage, clock=lambda at=later: at)  # type: ignore[misc]
            incoming = Incoming(
                parts.catalog,
                parts.storage,
                parts.multiparts,
                clock=lambda at=later: at,  # type: ignore[misc]
            )
            await sweep.once()
            await incoming.once()
        await self._compared(library, "days later")
        rows = await _rows(library)
        if others := len(rows) - _number(rows, Status.READY):
            self.accuse(f"{others} rows that are no photos stay for ever")
        if left := await _objects(library, keys.INCOMING):
            self.accuse(f"{len(left)} objects of uploads stay for ever")
        self.counts["photos in the end"] = _number(rows, Status.READY)
        self.counts["objects in the end"] = len(await _objects(library, keys.PHOTOS))

    async def _compared(self, library: Library, when: str) -> None:
        """Compare every row with every object, plainly."""
        rows, sent = await _rows(library), await _uploads(library)
        stored = await _objects(library, "")
        for status, named in rows.values():
            for key in named - stored if status == Status.READY else ():
                self.accuse(f"{when}, a row names {key}, which is not there")
        for key in stored:
            if key.startswith(keys.QUARANTINE) or key == _PROBE:
                self.counts[f"objects in quarantine {when}"] += key != _PROBE
            elif not (_is_known(key, rows) or key.removeprefix(keys.INCOMING) in sent):
                self.accuse(f"{when}, no row names {key}")
        async for batch in library.parts.multiparts.unfinished(""):
            for each in batch:
                if each.key.removeprefix(keys.INCOMING) not in sent:
                    self.accuse(f"{when}, no row knows the parts for {each.key}")


async def quiet(library: Library, *, within: float) -> tuple[bool, str]:
    """Wait until no job is left, or not longer; gives whether, and their numbers for people."""
    query = text(
        "SELECT status::text AS status, count(*) AS number FROM procrastinate_jobs"
        " WHERE task_name !~ '[.](sweep|clear|reconcile)$' GROUP BY 1"
    )

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {row.status: int(row.number) for row in await connection.execute(query)}

    deadline = time.monotonic() + within
    while True:
        jobs = await library.parts.catalog.read(read)
        if not {"todo", "doing"} & jobs.keys() or time.monotonic() > deadline:
            told = ", ".join(f"{number} {status}" for status, number in jobs.items())
            return not {"todo", "doing"} & jobs.keys(), told or "none"
        await asyncio.sleep(0.5)


async def _listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    url: str | None = f"/api/photos?limit={_PAGE}"
    while url:
        answer = await client.get(url)
        answer.raise_for_status()
        found += answer.json()
        url = answer.links.get("next", {}).get("url")
    return found


async def _rows(library: Library) -> Rows:
    """Tell each row's status and the keys that it names, by its name."""
    query = select(photos.c.name, photos.c.status, photos.c.renditions)

    async def read(connection: AsyncConnection) -> Rows:
        return {
            name: (status, {keys.original(name), *(each["key"] for each in renditions)})
            for name, status, renditions in await connection.execute(query)
        }

    return await library.parts.catalog.read(read)


async def _uploads(library: Library) -> set[str]:
    async def read(connection: AsyncConnection) -> set[str]:
        return set((await connection.execute(select(uploads.c.name))).scalars())

    return await library.parts.catalog.read(read)


async def _objects(library: Library, prefix: str) -> set[str]:
    found = library.parts.storage._store.list(prefix)  # noqa: SLF001  the bucket itself
    return {meta["path"] async for batch in found for meta in batch}


def _is_known(key: str, rows: Rows) -> bool:
    """Whether a row names an object, or isn't a photo's and so has its folder to itself."""
    name = keys.photo_in(key)
    if name is None or name not in rows:
        return False
    status, named = rows[name]
    return status != Status.READY or key in named


def _number(rows: Rows, status: Status) -> int:
    return sum(each == status for each, _ in rows.values())


def _name(url: str) -> str:
    """Tell the random part of a photo's keys, by a link to it."""
    return urlsplit(url).path.rpartition(keys.PHOTOS)[2].split("/")[0]
