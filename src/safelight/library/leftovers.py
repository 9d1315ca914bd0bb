"""What lies in ``incoming/`` and belongs to no upload, and uploads that nobody ended.

Whatever has a row is cleared away by what follows from that (library/incoming.py). So this finds
something only after a row has gone before its objects, as when a catalog is restored.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from safelight import keys
from safelight.catalog import Uploads
from safelight.library.findings import Count, Finding, Kind, Plan
from safelight.library.quarantine import Quarantine
from safelight.storage import Inventory, Multiparts

_PAGE = 1000


class Leftovers:
    """Compares the rows of direct uploads with what clients sent."""

    def __init__(
        self,
        uploads: Uploads,
        storage: Inventory,
        multiparts: Multiparts,
        quarantine: Quarantine,
    ) -> None:
        self._uploads = uploads
        self._storage = storage
        self._multiparts = multiparts
        self._quarantine = quarantine

    async def found(self, plan: Plan, count: Count, *, before: datetime) -> AsyncIterator[Finding]:
        """Give what is left over since `before`, and put it right if that is the plan."""
        async for finding in self._overdue(before):
            yield finding
        async for finding in self._unfinished(plan, before):
            yield finding
        async for finding in self._unnamed(plan, count, before):
            yield finding

    async def _overdue(self, before: datetime) -> AsyncIterator[Finding]:
        """List reservations that should have ended: there is no worker, or it can't."""
        after = ""
        while names := await self._uploads.overdue(expired_before=before, after=after, limit=_PAGE):
            for name in names:
                yield Finding(kind=Kind.STALE, key=keys.incoming(name))
            after = names[-1]

    async def _unfinished(self, plan: Plan, before: datetime) -> AsyncIterator[Finding]:
        async for batch in self._multiparts.unfinished(keys.INCOMING):
            old = [each for each in batch if each.begun_at < before]
            known = await self._known([each.key for each in old])
            for key in dict.fromkeys(each.key for each in old if each.key not in known):
                if plan.apply:
                    await self._multiparts.abort(key)
                yield Finding(kind=Kind.UNFINISHED, key=key, mended=plan.apply)

    async def _unnamed(self, plan: Plan, count: Count, before: datetime) -> AsyncIterator[Finding]:
        async for batch in self._storage.listed(keys.INCOMING):
            count.objects += len(batch)
            old = [each for each in batch if each.modified_at < before]
            known = await self._known([each.key for each in old])
            for each in old:
                finding = Finding(kind=Kind.UNNAMED, key=each.key, size=each.size)
                if each.key in known:
                    continue
                if plan.takes_unnamed:
                    finding = replace(finding, mended=await self._quarantine.take(each.key))
                yield finding

    async def _known(self, listed: list[str]) -> set[str]:
        """Tell which keys belong to uploads that have a row; asked after they were listed."""
        by_name = {name: key for key in listed if (name := keys.upload_in(key))}
        return {by_name[name] for name in await self._uploads.known(list(by_name))}
