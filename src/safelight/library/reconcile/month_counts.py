"""Compare the counts of months with the rows of photos."""

from collections.abc import AsyncIterator

from safelight.catalog import Miscount, MonthDrift
from safelight.library.reconcile.findings import Finding, Kind


async def find_miscounts(drift: MonthDrift, *, repair: bool) -> AsyncIterator[Finding]:
    """Yield the wrong counts of all owners, and correct them if asked to."""
    owner = await drift.next_owner(None)
    while owner is not None:
        miscounts = await drift.find(owner)
        if miscounts and repair:
            miscounts = await drift.repair(owner)
        for miscount in miscounts:
            yield Finding(kind=Kind.MISCOUNTED, key="", detail=_describe(miscount), mended=repair)
        owner = await drift.next_owner(owner)


def _describe(miscount: Miscount) -> str:
    return (
        f"{miscount.month:%Y-%m} of owner {miscount.owner!r} (order={miscount.order}):"
        f" counted {miscount.counted}, but has {miscount.photos}"
    )
