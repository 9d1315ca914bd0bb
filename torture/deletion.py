"""Trash photos, restore them, delete them for good, and revoke links."""

import random
from collections.abc import Sequence

import httpx

from calls import Actions, Answered, Caller
from ledger import EXISTING, Fate, Ledger, Record

_TRIES = 4
_MAX_IN_BULK = 5
_SPARED = 0.75
"""How often the trash is not emptied after all: it has to fill."""


class DeletionCalls:
    """A client's calls about its photos, `own`, which no other client changes.

    Only emptying the trash concerns those of all clients.
    """

    def __init__(
        self, own: list[Record], rng: random.Random, ledger: Ledger, caller: Caller
    ) -> None:
        self._own = own
        self._rng = rng
        self._ledger = ledger
        self._caller = caller
        self.actions: Actions = {
            self.delete: 6,
            self._trash: 12,
            self._restore: 8,
            self._revoke: 8,
            self._trash_many: 4,
            self._restore_many: 3,
            self._delete_many: 2,
            self._empty: 1,
        }
        """What it does, with the weights of how often."""

    async def delete(self) -> None:
        """Delete one for good, maybe from the trash."""
        async with self._ledger.trash.shared():
            for record in self._choose(1, *EXISTING, Fate.OPEN):
                await self._call(
                    *("delete", "DELETE", f"/api/photos/{record.id}?permanent=true"),
                    [record],
                    before=EXISTING,
                    after=Fate.DELETED,
                    unanswered=Fate.OPEN,
                )

    async def _trash(self) -> None:
        async with self._ledger.trash.shared():
            for record in self._choose(1, Fate.KEPT, Fate.STORED):
                await self._call(
                    *("trash", "DELETE", f"/api/photos/{record.id}"),
                    [record],
                    before=(Fate.KEPT,),
                    after=Fate.TRASHED,
                    unanswered=Fate.STORED,
                )

    async def _restore(self) -> None:
        async with self._ledger.trash.shared():
            for record in self._choose(1, Fate.TRASHED, Fate.STORED):
                answer = await self._call(
                    *("restore", "POST", f"/api/photos/{record.id}/restore"),
                    [record],
                    before=(Fate.TRASHED,),
                    after=Fate.KEPT,
                    unanswered=Fate.STORED,
                )
                if answer is not None and answer.is_success:
                    photo = answer.json()
                    if photo["sha256"] != record.sha256:
                        self._ledger.report(f"photo {record.id} is restored with another SHA-256")
                    record.links.add(photo["original_url"])

    async def _revoke(self) -> None:
        for record in self._choose(1, Fate.KEPT):
            record.moves = True
            path = f"/api/photos/{record.id}/revoke-links"
            answer = await self._caller.request("revoke", "POST", path)
            if answer is None:
                return
            if answer.status_code != httpx.codes.NO_CONTENT:
                self._ledger.report(f"revoking links of {record.id}: {answer.status_code}")
            record.revoke()

    async def _trash_many(self) -> None:
        async with self._ledger.trash.shared():
            records = self._choose(_MAX_IN_BULK, Fate.KEPT, Fate.STORED)
            await self._call(
                *("bulk trash", "DELETE", f"/api/photos?ids={_ids(records)}"),
                records,
                before=(Fate.KEPT,),
                after=Fate.TRASHED,
                unanswered=Fate.STORED,
            )

    async def _restore_many(self) -> None:
        async with self._ledger.trash.shared():
            records = self._choose(_MAX_IN_BULK, Fate.TRASHED, Fate.STORED)
            await self._call(
                *("bulk restore", "POST", f"/api/photos/restore?ids={_ids(records)}"),
                records,
                before=(Fate.TRASHED,),
                after=Fate.KEPT,
                unanswered=Fate.STORED,
            )

    async def _delete_many(self) -> None:
        async with self._ledger.trash.shared():
            records = self._choose(2, *EXISTING, Fate.OPEN)
            await self._call(
                *("bulk delete", "DELETE", f"/api/photos?permanent=true&ids={_ids(records)}"),
                records,
                before=EXISTING,
                after=Fate.DELETED,
                unanswered=Fate.OPEN,
            )

    async def _empty(self) -> None:
        if self._rng.random() < _SPARED:
            return
        async with self._ledger.trash.alone():
            records = self._ledger.records.values()
            certain = [record for record in records if record.fate is Fate.TRASHED]
            answer = await self._caller.request("empty trash", "DELETE", "/api/trash")
            for record in records:
                if record.fate in {Fate.TRASHED, Fate.STORED}:
                    record.fate = Fate.OPEN
            if answer is None:
                return
            for record in certain:
                record.fate = Fate.DELETED
            if answer.json()["deleted"] < len(certain):
                self._ledger.report(f"{len(certain)} photos were in the trash: {answer.text}")

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        records: list[Record],
        *,
        before: Sequence[Fate],
        after: Fate,
        unanswered: Fate,
    ) -> Answered:
        """Call the service until it answers or the client gives up, and record what it says.

        A photo of a fate in `before` has to be found. Others may have been changed before.
        """
        if not records:
            return None
        certain = [record for record in records if record.fate in before]
        for _ in range(_TRIES):
            for record in records:
                record.fate = unanswered
                record.moves = True
            answer = await self._caller.request(call, method, path)
            if answer is not None:
                self._check(call, answer, records, certain)
                for record in records:
                    record.fate = after
                    if after is not Fate.KEPT:
                        record.revoke()
                return answer
            certain = []
            if self._rng.random() < 0.3:
                break
        return None

    def _check(
        self, call: str, answer: httpx.Response, records: list[Record], certain: list[Record]
    ) -> None:
        missing = _missing(answer, records)
        if missing is None:
            self._ledger.report(f"{call}: {answer.status_code} {answer.text[:200]}")
        for record in certain:
            if record.id in (missing or ()):
                self._ledger.report(f"{call}: photo {record.id} is missing")

    def _choose(self, number: int, *fates: Fate) -> list[Record]:
        fitting = [record for record in self._own if record.fate in fates and record.id]
        return self._rng.sample(fitting, min(number, len(fitting)))


def _ids(records: Sequence[Record]) -> str:
    return ",".join(str(record.id) for record in records)


def _missing(answer: httpx.Response, records: Sequence[Record]) -> set[int] | None:
    """Return the ids that were not found, or None for a response that no call may get."""
    ids = {record.id for record in records if record.id}
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ids
    if answer.status_code == httpx.codes.NO_CONTENT or "sha256" in answer.text:
        return set()
    if answer.status_code != httpx.codes.OK:
        return None
    result = answer.json()
    named = [*result["done"], *result["missing"]]
    return set(result["missing"]) if sorted(named) == sorted(ids) else None
