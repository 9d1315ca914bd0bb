"""The reconciler: compares rows with objects, both ways, and puts right what differs.

What the comparison suspects was read at different moments, so each suspicion is looked at again:
an absent object, then its row; an object too many in a transaction that holds the row.
docs/decisions/0010-reconcile.md says why that is enough.
"""

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Entry, strike
from safelight.crash_points import reached
from safelight.errors import NotFound
from safelight.library.comparison import entries, shelves, side_by_side, suspicions
from safelight.library.findings import BEYOND_REPAIR, Count, Finding, Kind, Plan, Tally
from safelight.library.leftovers import Leftovers
from safelight.library.parts import Parts
from safelight.library.quarantine import Kept, Quarantine, Step
from safelight.library.tasks import develop_row_later
from safelight.photo import Status

_log = logging.getLogger(__name__)

_TELL_EACH = 1000
"""Pairs after which it tells how far it is; when it reads originals, after each."""
_BRAKE = 100
"""So many unnamed objects, or a hundredth of the rows, are taken away without being asked to."""


async def _no_pause(_point: str) -> None:
    pass


class Reconciler:
    """Compares all rows of a catalog with all objects of its bucket.

    Any number may run at once, beside everything else that goes on. Raises Unavailable when an
    engine is away; what was done until then is done, and the next run does the rest. `settle` has
    done what follows from the rows alone, before anything is compared. `pause` is for tests: it is
    awaited at each of the crash points.
    """

    def __init__(
        self,
        parts: Parts,
        settle: Callable[[], Awaitable[object]],
        *,
        clock: Callable[[], datetime],
        pause: Step = _no_pause,
    ) -> None:
        self._roll = parts.catalog.roll
        self._storage = parts.storage
        self._settle = settle
        self._clock = clock
        self._pause = pause
        self._quarantine = Quarantine(parts.storage, clock=clock, step=self._step)
        self._leftovers = Leftovers(
            parts.catalog.uploads, parts.storage, parts.multiparts, self._quarantine
        )

    async def run(self, plan: Plan) -> AsyncIterator[Finding | Tally]:
        """Give what differs, and between that how far it is; the last tally is `done`."""
        count = Count()
        if plan.apply:
            await self._settle()
        async for told in self._compared(plan, count):
            yield told
        before = self._clock() - plan.grace
        for rest in (self._leftovers.found(plan, count, before=before), self._emptied(plan)):
            async for finding in rest:
                count.add(finding)
                yield finding
        yield count.tally(done=True)

    async def undo(self, *, apply: bool) -> AsyncIterator[Finding | Tally]:
        """Put back what lies in quarantine, but for what belongs to photos that were deleted."""
        count = Count()
        async for batch in self._quarantine.contents():
            count.objects += len(batch)
            buried = await self._buried(batch)
            for kept in batch:
                if keys.photo_in(kept.key) not in buried:
                    finding = Finding(kind=Kind.QUARANTINED, key=kept.key, size=kept.size)
                    if apply:
                        finding = replace(finding, mended=await self._brought_back(kept))
                    count.add(finding)
                    yield finding
        yield count.tally(done=True)

    async def daily(self) -> Tally:
        """Do by itself what can do no harm, and log what somebody has to look after.

        An object too many goes into quarantine, from where it can be had back. Many at once look
        like a wrong or restored database rather than like leftovers: these are left alone.
        """
        seen = await self._logged(Plan())
        many = seen.found.get(Kind.UNNAMED, 0)
        spare = many > max(_BRAKE, seen.rows // 100)
        if spare:
            _log.warning(
                "no row names %d objects, which is too many to be taken away unasked: see"
                " 'safelight reconcile'",
                many,
            )
        if not seen.found:
            return seen
        return await self._logged(Plan(apply=True, spare_unnamed=spare), level=logging.INFO)

    async def _logged(self, plan: Plan, *, level: int = logging.WARNING) -> Tally:
        tally = Tally()
        async for told in self.run(plan):
            if isinstance(told, Tally):
                tally = told
            elif told.kind in BEYOND_REPAIR:
                _log.log(level, "photo %s is %s %s", told.photo, told.kind, told.detail)
        return tally

    async def _compared(self, plan: Plan, count: Count) -> AsyncIterator[Finding | Tally]:
        before = self._clock() - plan.grace
        listing = self._storage.listed(keys.PHOTOS)
        told_at = 0
        async for entry, shelf in side_by_side(entries(self._roll), shelves(listing)):
            count.rows += entry is not None
            count.objects += len(shelf.objects) if shelf else 0
            suspected = suspicions(entry, shelf, before=before)
            for suspicion in suspected:
                if finding := await self._settled(suspicion, entry, plan):
                    count.add(finding)
                    yield finding
            if plan.verify and entry and entry.keys and shelf and not suspected:
                if finding := await self._verified(entry, count):
                    count.add(finding)
                    yield finding
                yield count.tally()
            elif count.rows + count.objects >= told_at + _TELL_EACH:
                told_at = count.rows + count.objects
                yield count.tally()

    async def _settled(self, suspicion: Finding, entry: Entry | None, plan: Plan) -> Finding | None:
        """Look again, and put it right if that is the plan; None if there was nothing wrong."""
        await self._step("reconcile: suspected")
        if suspicion.kind == Kind.UNNAMED:
            return await self._unnamed(suspicion, plan)
        assert entry is not None  # noqa: S101  all others are about a row
        if suspicion.kind == Kind.STALE:
            again = await self._again(entry)
            return suspicion if again and again.status == Status.PENDING else None
        if suspicion.kind == Kind.DAMAGED:
            return suspicion if await self._still_names(entry, suspicion.key) else None
        return await self._absent(suspicion, entry, plan)

    async def _unnamed(self, suspicion: Finding, plan: Plan) -> Finding | None:
        key, name = suspicion.key, keys.photo_in(suspicion.key)
        if plan.takes_unnamed:
            taken = await self._taken(key, name)
            return replace(suspicion, mended=True) if taken else None
        entry = (await self._roll.named([name])).get(name) if name else None
        return None if _minds(entry, key) else suspicion

    async def _taken(self, key: str, name: str | None) -> bool:
        """Take an object away unless a row minds, which can't change while it is asked."""
        if name is None:
            return await self._quarantine.take(key)

        async def work(connection: AsyncConnection, entry: Entry | None) -> bool:
            await self._step("reconcile: row held")
            if _minds(entry, key) or not await self._quarantine.take(key):
                return False
            if entry:
                # Whoever is about to name this very rendition believes it to be there.
                await strike(connection, entry)
            await self._step("reconcile: row changed")
            return True

        return await self._roll.holding(name, work)

    async def _absent(self, suspicion: Finding, entry: Entry, plan: Plan) -> Finding | None:
        key = suspicion.key
        if await self._storage.size(key) is not None or not await self._still_names(entry, key):
            return None
        place = await self._quarantine.find(key)
        finding = replace(suspicion, kind=Kind.DISPLACED) if place else suspicion
        if not plan.apply or finding.kind == Kind.LOST:
            return finding

        async def work(connection: AsyncConnection, held: Entry | None) -> bool:
            await self._step("reconcile: row held")
            if not (held and key in held.keys) or await self._storage.size(key) is not None:
                return False
            if place:
                return await self._quarantine.put_back(place, key)
            await strike(connection, held, [key])
            await develop_row_later(connection, owner=held.owner, id_=held.id)
            await self._step("reconcile: row changed")
            return True

        return replace(finding, mended=await self._roll.holding(entry.name, work))

    async def _verified(self, entry: Entry, count: Count) -> Finding | None:
        """Read a photo's original, and compare its SHA-256 with the row's."""
        key, digest = keys.original(entry.name), hashlib.sha256()
        try:
            size = await self._storage.read(key, digest.update)
        except NotFound:  # it was deleted meanwhile, or the next run finds it lost
            return None
        count.bytes += size
        if digest.hexdigest() == entry.sha256 or not await self._still_names(entry, key):
            return None
        detail = "its bytes have another SHA-256 than its row says"
        return Finding(kind=Kind.DAMAGED, key=key, photo=entry.id, size=size, detail=detail)

    async def _emptied(self, plan: Plan) -> AsyncIterator[Finding]:
        """Delete what has been in quarantine for long enough; but what a row names goes back."""
        async for batch in self._quarantine.contents():
            over = [kept for kept in batch if self._quarantine.is_over(kept)]
            if batch and not over:  # the oldest came first
                return
            named = await self._roll.named([n for kept in over if (n := keys.photo_in(kept.key))])
            for kept in over:
                entry = named.get(keys.photo_in(kept.key) or "")
                finding = Finding(kind=Kind.EXPIRED, key=kept.key, size=kept.size)
                if entry and kept.key in entry.keys:
                    found = Finding(kind=Kind.LOST, key=kept.key, photo=entry.id, size=kept.size)
                    if absent := await self._absent(found, entry, plan):
                        yield absent
                        continue
                yield replace(finding, mended=plan.apply)
                if plan.apply:
                    await self._storage.delete([kept.place])

    async def _brought_back(self, kept: Kept) -> bool:
        """Put an object back, unless its photo is deleted: nobody may see that any more."""

        async def work(_connection: AsyncConnection | None, entry: Entry | None) -> bool:
            if entry and entry.status == Status.DELETED:
                return False
            return await self._quarantine.put_back(kept.place, kept.key)

        name = keys.photo_in(kept.key)
        return await (self._roll.holding(name, work) if name else work(None, None))

    async def _buried(self, batch: list[Kept]) -> set[str | None]:
        found = await self._roll.named([n for kept in batch if (n := keys.photo_in(kept.key))])
        return {name for name, entry in found.items() if entry.status == Status.DELETED}

    async def _again(self, entry: Entry) -> Entry | None:
        return (await self._roll.named([entry.name])).get(entry.name)

    async def _still_names(self, entry: Entry, key: str) -> bool:
        again = await self._again(entry)
        return again is not None and key in again.keys

    async def _step(self, point: str) -> None:
        reached(point)
        await self._pause(point)


def _minds(entry: Entry | None, key: str) -> bool:
    """Whether a row names an object, or may still come to it: only photos name all of theirs."""
    return entry is not None and (entry.status != Status.READY or key in entry.keys)
