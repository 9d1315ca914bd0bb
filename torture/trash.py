"""Check the trash, revoked links and albums after the recovery."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from invariants import Invariants, list_photos
from ledger import EXISTING, Album, Fate, Record, digest
from safelight.library import Library

_AT_ONCE = 4


@dataclass
class TrashInvariants:
    """Checks what the clients' calls about the trash and albums acknowledged."""

    invariants: Invariants
    service: httpx.AsyncClient
    store: httpx.AsyncClient

    def report(self, what: str) -> None:
        self.invariants.report(what)

    async def check_trash(self) -> None:
        """Check every photo in the trash, and restore every second one."""
        trashed = {photo["sha256"]: photo for photo in await list_photos(self.service, "&trash=1")}
        listed = {photo["sha256"] for photo in await list_photos(self.service)}
        count = (await self.service.get("/api/trash")).raise_for_status().json()
        if count["photos"] != len(trashed):
            self.report(f"{len(trashed)} photos are in the trash, which counts {count['photos']}")
        if count["revoking"] and self.invariants.jobs_are_done:
            self.report(f"the links of {count['revoking']} trashed photos are never revoked")
        for sha256 in trashed.keys() & listed:
            self.report(f"photo {trashed[sha256]['id']} is listed, and in the trash")
        for number, (sha256, record) in enumerate(self.invariants.ledger.records.items()):
            photo = trashed.get(sha256)
            if record.fate is Fate.STORED:
                record.fate = Fate.TRASHED if photo else Fate.KEPT
            if photo is not None:
                await self._check_trashed(record, photo, restore=number % 2 == 1)
            elif record.fate is Fate.TRASHED:
                self.report(f"photo {record.id} was trashed, and is not in the trash")

    async def _check_trashed(self, record: Record, photo: dict[str, Any], *, restore: bool) -> None:
        self.invariants.counts["photos in the trash"] += 1
        if record.fate in {Fate.KEPT, Fate.DELETED}:
            self.report(f"photo {record.id} is in the trash, and was {record.fate}")
            return
        if record.fate is Fate.TRASHED and photo["id"] != record.id:
            self.report(f"photo {record.id} was trashed, and is now {photo['id']}")
        record.id, record.fate = photo["id"], Fate.TRASHED
        await self._fetch_original(photo, record)
        if restore:
            await self._restore(record)

    async def _restore(self, record: Record) -> None:
        answer = await self.service.post(f"/api/photos/{record.id}/restore")
        if answer.status_code != httpx.codes.OK:
            self.report(f"photo {record.id} is in the trash: restoring it: {answer.status_code}")
            return
        record.fate = Fate.KEPT
        self.invariants.counts["restored from the trash"] += 1
        await self._fetch_original(answer.json(), record)

    async def _fetch_original(self, photo: dict[str, Any], record: Record) -> None:
        found = await self.store.get(photo["original_url"])
        if digest(found.content) != record.sha256:
            self.report(f"the link of trashed photo {record.id} returns {found.status_code}")

    async def check_albums(self) -> None:
        """Check the photos and their order in each album, after those in the trash were checked."""
        records = self.invariants.ledger.records.values()
        fates = {record.id: record.fate for record in records}
        answer = await self.service.get("/api/albums")
        albums = {album["id"]: album["photos"] for album in answer.raise_for_status().json()}
        for album in self.invariants.ledger.albums:
            self.invariants.counts[f"albums {album.fate}"] += 1
            if album.id not in albums:
                if album.fate is Fate.KEPT:
                    self.report(f"album {album.id} was acknowledged, and is missing")
            elif album.fate is Fate.DELETED:
                self.report(f"album {album.id} was deleted, and is listed")
            else:
                found = [photo["id"] for photo in await self._list(album)]
                if len(found) != albums[album.id]:
                    self.report(f"album {album.id} counts {albums[album.id]}, and has {found}")
                self._check_album(album, found, fates)

    def _check_album(self, album: Album, found: list[int], fates: dict[int | None, Fate]) -> None:
        expected = [id_ for id_ in album.members if fates.get(id_) is Fate.KEPT]
        self.invariants.counts["photos in albums"] += len(expected)
        if missing := set(expected) - set(found):
            self.report(f"{missing} were added to album {album.id}, and are missing")
        if others := set(found) - set(album.members) - album.maybe:
            self.report(f"{others} were not added to album {album.id}, or were removed")
        placed = [id_ for id_ in expected if id_ not in album.unplaced]
        if [id_ for id_ in found if id_ in set(placed)] != placed:
            self.report(f"album {album.id} has {found}, in the order {album.members}")

    async def _list(self, album: Album) -> list[dict[str, Any]]:
        return await list_photos(self.service, f"&album={album.id}")

    async def check_links(self, library: Library) -> None:
        """Check that no link works from before an acknowledged revocation.

        If jobs are left, this does what they would do.
        """
        if self.invariants.jobs_are_done:
            if left := await library.backends.catalog.read(_count_revoked):
                self.report(f"no job is left, and the links of {left} photos are not revoked")
        else:
            await library.components.rekeying.run()
            await library.components.sweep.purge()
        slots = asyncio.Semaphore(_AT_ONCE)

        async def check(record: Record, url: str) -> None:
            async with slots:
                self.invariants.counts["revoked links"] += 1
                if (await self.store.get(url)).is_success:
                    self.report(f"a revoked link of photo {record.id} works ({record.fate}): {url}")

        await asyncio.gather(
            *(
                check(record, url)
                for record in self.invariants.ledger.records.values()
                if record.fate in EXISTING
                for url in record.dead
            )
        )


async def _count_revoked(connection: AsyncConnection) -> int:
    query = text(
        "SELECT count(*) FROM safelight_photos WHERE status = 'ready' AND revoked_at IS NOT NULL"
    )
    return int((await connection.execute(query)).scalar_one())
