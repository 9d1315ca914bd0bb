"""Check the invariants after the recovery, by the service, the rows and the bucket.

The reconciler is not trusted: after it has run, rows and objects are compared independently.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image
from sqlalchemy import TextClause, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Fate, Ledger, Record, digest
from safelight import keys
from safelight.catalog.tables import photos, renderings, uploads
from safelight.library import Library
from safelight.library.reconcile.findings import Finding, Kind, ReconcileOptions
from safelight.library.sweep import Sweep
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.models import Status
from safelight.storage.objects import PROBE_PREFIX

Rows = dict[str, tuple[str, set[str]]]
"""Status and keys of each row, by its storage id."""

Counts = dict[tuple[str, str, str], int]
"""Photos by owner, order and month."""

_PAGE = 500
_AT_ONCE = 4
_PROBE = "ready"
"""The object with which the embedded engines test whether the store is ready."""
_MUCH_LATER = timedelta(days=3)
_MISSING = (Kind.LOST, Kind.DAMAGED, Kind.DISPLACED, Kind.MISSING_RENDITION)


@dataclass
class Invariants:
    """Checks the invariants, and counts what it finds."""

    ledger: Ledger
    counts: Counter[str] = field(default_factory=Counter)
    jobs_are_done: bool = False
    """Return whether no job is left."""

    def report(self, what: str) -> None:
        self.ledger.report(what)

    async def check_photos(self, service: httpx.AsyncClient, store: httpx.AsyncClient) -> None:
        """Check every photo that the service lists, and fetch it by its links."""
        listed = await list_photos(service)
        by_sha256 = {photo["sha256"]: photo for photo in listed}
        self.counts["photos listed"] = len(listed)
        if len(by_sha256) != len(listed):
            self.report("the same bytes are listed twice")
        for sha256 in by_sha256.keys() - self.ledger.records.keys():
            self.report(f"photo {by_sha256[sha256]['id']} was never sent")
        slots = asyncio.Semaphore(_AT_ONCE)

        async def check(record: Record) -> None:
            async with slots:
                photo = by_sha256.get(record.sha256)
                if record.fate is Fate.DELETED:
                    await self._check_deleted(service, store, record, photo)
                elif record.fate is not Fate.TRASHED:
                    await self._check_kept(store, record, photo)
                elif photo is not None:
                    self.report(f"photo {record.id} is in the trash, and is listed")

        await asyncio.gather(*map(check, self.ledger.records.values()))

    async def _check_kept(
        self, store: httpx.AsyncClient, record: Record, photo: dict[str, Any] | None
    ) -> None:
        presence = "listed" if photo else "not listed"
        self.counts[f"{record.fate}, {presence}"] += 1
        if photo is None:
            if record.fate is Fate.KEPT:
                self.report(f"photo {record.id} was acknowledged, and is not listed")
            return
        if record.fate is Fate.KEPT and photo["id"] != record.id:
            self.report(f"photo {record.id} was acknowledged, and is now {photo['id']}")
        if photo["title"] not in record.titles:
            self.report(f"photo {photo['id']} has an outdated title")
        if photo["turn"] not in record.turns:
            self.report(f"photo {photo['id']} has an outdated turn")
        await self._check_objects(store, record, photo)

    async def _check_objects(
        self, store: httpx.AsyncClient, record: Record, photo: dict[str, Any]
    ) -> None:
        urls = [photo["original_url"], *(rendition["url"] for rendition in photo["renditions"])]
        answers = [await store.get(url) for url in urls]
        self.counts["objects fetched"] += len(answers)
        if digest(answers[0].content) != record.sha256:
            self.report(f"the original of photo {photo['id']} has another SHA-256")
        for answer in answers:
            if not answer.is_success:
                self.report(f"a link of photo {photo['id']} returns {answer.status_code}")
        for rendition, answer in zip(photo["renditions"], answers[1:], strict=True):
            size = rendition["width"], rendition["height"]
            if answer.is_success and Image.open(BytesIO(answer.content)).size != size:
                self.report(f"a rendition of photo {photo['id']} has another turn")

    async def _check_deleted(
        self,
        service: httpx.AsyncClient,
        store: httpx.AsyncClient,
        record: Record,
        photo: dict[str, Any] | None,
    ) -> None:
        self.counts["deleted"] += 1
        if photo is not None:
            self.report(f"photo {photo['id']} was deleted, and is listed")
        if record.id is None:  # an upload that was aborted
            return
        answer = await service.get(f"/api/photos/{record.id}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            self.report(f"photo {record.id} was deleted, and returns {answer.status_code}")
        links = record.links | record.dead
        if valid := [urlsplit(url).path for url in links if (await store.get(url)).is_success]:
            self.counts["deleted, with a valid link before the reconcile"] += 1
            if self.jobs_are_done:
                names = ", ".join(valid)
                self.report(f"photo {record.id} was deleted, and links are still valid: {names}")

    async def check_counts(self, library: Library, when: str) -> None:
        """Compare the counts of months with the rows, before and after they are folded."""
        for state in ("before the fold", "after the fold"):
            counted, existing = await _month_counts(library)
            self.counts["counts of months"] = len(existing)
            if counted != existing:
                wrong = dict(counted.items() ^ existing.items())
                self.report(f"{when}, {state}, {len(wrong)} counts of months are wrong: {wrong}")
            await library.backends.catalog.month_counts.fold_all()

    async def check_reconcile(self, library: Library) -> None:
        """Reconcile without grace: first only report, then repair, then check independently."""
        for finding in await self._run(library, ReconcileOptions(grace=timedelta(0), verify=True)):
            self.counts[f"reconcile: {finding.kind} found"] += 1
            if finding.kind in _MISSING:
                self.report(f"{finding.key} is {finding.kind} {finding.detail}")
            # A server that was killed while it tried the store leaves what it wrote for that.
            is_probe = finding.key.startswith(PROBE_PREFIX)
            if finding.kind == Kind.ORPHAN and finding.photo is None and not is_probe:
                self.report(f"{finding.key} was written before its row")
        for finding in await self._run(library, ReconcileOptions(grace=timedelta(0), apply=True)):
            self.counts[f"reconcile: {finding.kind} repaired"] += finding.mended
        await self._compare(library, "after the reconcile")
        rows = await _rows(library)
        self.counts["rows, pending"] = _number(rows, Status.PENDING)
        self.counts["rows, tombstones"] = _number(rows, Status.DELETED)
        await self._check_purged(library)

    async def _run(self, library: Library, options: ReconcileOptions) -> list[Finding]:
        findings = library.reconciler.run(options)
        return [finding async for finding in findings if isinstance(finding, Finding)]

    async def _check_purged(self, library: Library) -> None:
        """Check that the bucket has nothing of deleted photos.

        A job may have stored a rendition after the deletion and then died. No client has a link to
        it, and the second sweep deletes it.
        """
        rows, stored = await _rows(library), await _objects(library, keys.PHOTOS)
        deleted = {
            _name(url): each for each in self.ledger.deleted() for url in each.links | each.dead
        }
        for key in stored:
            name = key.split("/")[1]
            if name in deleted and key in rows.get(name, ("", {keys.original(name)}))[1]:
                self.report(f"photo {deleted[name].id} was deleted, and {key} is stored")
            self.counts["objects left to the second sweep"] += name in deleted

    async def check_much_later(self, library: Library) -> None:
        """Run the minutely jobs at a time when everything abandoned has expired."""
        parts = library.backends
        for times in (1, 2):
            later = datetime.now(UTC) + times * _MUCH_LATER
            sweep = Sweep(parts.catalog, parts.bucket, clock=lambda at=later: at)  # type: ignore[misc]
            incoming = UploadCleanup(
                parts.catalog.uploads,
                parts.bucket,
                parts.multipart,
                clock=lambda at=later: at,  # type: ignore[misc]
            )
            await sweep.run()
            await incoming.run()
        await parts.catalog.transaction(_age_claims)
        await library.components.on_demand.undo_abandoned()
        await self._compare(library, "days later")
        rows = await _rows(library)
        if others := len(rows) - _number(rows, Status.READY):
            self.report(f"{others} rows that are no photos stay forever")
        if claims := await _claims(library):
            self.report(f"{len(claims)} claims of renditions stay forever")
        if left := await _objects(library, keys.INCOMING):
            self.report(f"{len(left)} objects of uploads stay forever")
        self.counts["photos at the end"] = _number(rows, Status.READY)
        self.counts["objects at the end"] = len(await _objects(library, keys.PHOTOS))

    async def _compare(self, library: Library, when: str) -> None:
        """Compare all rows with all objects."""
        rows, sent = await _rows(library), await _uploads(library)
        claimed = await _claims(library)
        stored = await _objects(library, "")
        for status, named in rows.values():
            for key in named - stored if status == Status.READY else ():
                self.report(f"{when}, a row names {key}, which is missing")
        for key in stored:
            if key.startswith(keys.QUARANTINE) or key == _PROBE:
                self.counts[f"objects in quarantine {when}"] += key != _PROBE
            elif key in claimed:  # the sweep deletes it, or a row will name it
                self.counts[f"objects only claimed {when}"] += not _is_known(key, rows)
            elif not (_is_known(key, rows) or key.removeprefix(keys.INCOMING) in sent):
                self.report(f"{when}, no row names {key}")
        async for batch in library.backends.multipart.list_unfinished(""):
            for each in batch:
                if each.key.removeprefix(keys.INCOMING) not in sent:
                    self.report(f"{when}, no row knows the parts for {each.key}")


async def wait_for_jobs(library: Library, *, within: float) -> tuple[bool, str]:
    """Wait up to `within` seconds until no job is left; return whether, and the counts as text."""
    query = text(
        "SELECT status::text AS status, count(*) AS number FROM procrastinate_jobs"
        " WHERE task_name !~ '[.](sweep|clear|reconcile)$' GROUP BY 1"
    )

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {row.status: int(row.number) for row in await connection.execute(query)}

    deadline = time.monotonic() + within
    while True:
        jobs = await library.backends.catalog.read(read)
        if not {"todo", "doing"} & jobs.keys() or time.monotonic() > deadline:
            counts = ", ".join(f"{number} {status}" for status, number in jobs.items())
            return not {"todo", "doing"} & jobs.keys(), counts or "none"
        await asyncio.sleep(0.5)


async def list_photos(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    """List all photos, or those of a query such as ``&trash=true``."""
    found: list[dict[str, Any]] = []
    url: str | None = f"/api/photos?limit={_PAGE}{query}"
    while url:
        answer = await client.get(url)
        answer.raise_for_status()
        found += answer.json()
        url = answer.links.get("next", {}).get("url")
    return found


async def _rows(library: Library) -> Rows:
    """Return each row's status and the keys that it names, by storage id."""
    query = select(photos.c.name, photos.c.status, photos.c.renditions)

    async def read(connection: AsyncConnection) -> Rows:
        return {
            name: (status, {keys.original(name), *(each["key"] for each in renditions)})
            for name, status, renditions in await connection.execute(query)
        }

    return await library.backends.catalog.read(read)


async def _month_counts(library: Library) -> tuple[Counts, Counts]:
    """Return the number of photos by owner, order and month: as counted, and as rows."""
    counted = text(
        "SELECT owner, sort, month::text AS month, sum(photos) AS photos FROM ("
        "SELECT owner, sort, month, photos FROM safelight_month_counts UNION ALL"
        " SELECT owner, sort, month, change FROM safelight_month_changes) AS summands"
        " GROUP BY owner, sort, month HAVING sum(photos) <> 0"
    )
    existing = text(
        "SELECT owner, sort, month::text AS month, count(*) AS photos FROM safelight_photos,"
        " LATERAL (VALUES ('added', date_trunc('month', created_at AT TIME ZONE 'UTC')),"
        " ('taken', date_trunc('month', local_at))) AS months (sort, month)"
        " WHERE status = 'ready' AND trashed_at IS NULL GROUP BY owner, sort, month"
    )

    async def read(connection: AsyncConnection, query: TextClause) -> Counts:
        rows = await connection.execute(query)
        return {(row.owner, row.sort, row.month): int(row.photos) for row in rows}

    async def read_both(connection: AsyncConnection) -> tuple[Counts, Counts]:
        return await read(connection, counted), await read(connection, existing)

    return await library.backends.catalog.read(read_both)


async def _uploads(library: Library) -> set[str]:
    async def read(connection: AsyncConnection) -> set[str]:
        return set((await connection.execute(select(uploads.c.name))).scalars())

    return await library.backends.catalog.read(read)


async def _age_claims(connection: AsyncConnection) -> None:
    """Let all claims have expired days ago. Their times are those of the database."""
    await connection.execute(update(renderings).values(expires_at=func.now() - _MUCH_LATER))


async def _claims(library: Library) -> set[str]:
    async def read(connection: AsyncConnection) -> set[str]:
        return set((await connection.execute(select(renderings.c.key))).scalars())

    return await library.backends.catalog.read(read)


async def _objects(library: Library, prefix: str) -> set[str]:
    found = library.backends.bucket._store.list(prefix)  # noqa: SLF001  the bucket itself
    return {meta["path"] async for batch in found for meta in batch}


def _is_known(key: str, rows: Rows) -> bool:
    """Check whether a row names an object. Rows that aren't ready own their whole folder."""
    name = keys.storage_id_of(key)
    if name is None or name not in rows:
        return False
    status, named = rows[name]
    return status != Status.READY or key in named


def _number(rows: Rows, status: Status) -> int:
    return sum(each == status for each, _ in rows.values())


def _name(url: str) -> str:
    """Return the storage id in a photo's link."""
    return urlsplit(url).path.rpartition(keys.PHOTOS)[2].split("/")[0]
