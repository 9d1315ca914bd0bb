"""Create albums, add and remove photos, and delete albums."""

import random

import httpx

from calls import Actions, Caller
from ledger import Album, Fate, Ledger, Record

_MAX = 5
_MAX_ALBUMS = 6


class AlbumCalls:
    """A client's calls about its albums, which no other client changes."""

    def __init__(
        self, number: int, own: list[Record], rng: random.Random, ledger: Ledger, caller: Caller
    ) -> None:
        self._number = number
        self._own = own
        self._rng = rng
        self._ledger = ledger
        self._caller = caller
        self._albums: list[Album] = []
        self.actions: Actions = {
            self._create: 3,
            self._add: 6,
            self._remove: 4,
            self._delete: 1,
        }
        """What it does, with the weights of how often."""

    async def _create(self) -> None:
        if len(self._albums) >= _MAX_ALBUMS:
            return
        ids = self._choose()
        body = {"title": f"album of client {self._number}", "ids": ids}
        answer = await self._caller.request("create album", "POST", "/api/albums", json=body)
        if answer is None:
            return
        if answer.status_code != httpx.codes.CREATED or answer.json()["photos"] != len(ids):
            self._ledger.report(f"creating an album of {ids}: {answer.text[:200]}")
            return
        album = Album(answer.json()["id"], ids)
        self._albums.append(album)
        self._ledger.albums.append(album)

    async def _add(self) -> None:
        ids = self._choose()
        if not self._albums or not ids:
            return
        album = self._rng.choice(self._albums)
        path = f"/api/albums/{album.id}/photos"
        answer = await self._caller.request("add to album", "POST", path, json={"ids": ids})
        new = [id_ for id_ in ids if id_ not in album.members]
        if answer is None:
            album.maybe.update(new)
            return
        if answer.status_code != httpx.codes.OK or sorted(answer.json()["done"]) != sorted(ids):
            self._ledger.report(f"adding {ids} to album {album.id}: {answer.text[:200]}")
        album.members += new
        album.unplaced |= album.maybe.intersection(new)
        album.maybe.difference_update(new)

    async def _remove(self) -> None:
        album = self._rng.choice(self._albums) if self._albums else None
        present = [id_ for id_ in self._kept() if album and id_ in album.members]
        if album is None or not present:
            return
        ids = self._rng.sample(present, min(2, len(present)))
        path = f"/api/albums/{album.id}/photos?ids={','.join(map(str, ids))}"
        answer = await self._caller.request("remove from album", "DELETE", path)
        album.members = [id_ for id_ in album.members if id_ not in ids]
        album.unplaced.difference_update(ids)
        if answer is None:
            album.maybe.update(ids)
        elif answer.status_code != httpx.codes.OK or sorted(answer.json()["done"]) != sorted(ids):
            self._ledger.report(f"removing {ids} from album {album.id}: {answer.text[:200]}")

    async def _delete(self) -> None:
        if len(self._albums) < _MAX_ALBUMS // 2:
            return
        album = self._albums.pop(self._rng.randrange(len(self._albums)))
        answer = await self._caller.request("delete album", "DELETE", f"/api/albums/{album.id}")
        if answer is None:
            album.fate = Fate.OPEN
        elif answer.status_code == httpx.codes.NO_CONTENT:
            album.fate = Fate.DELETED
        else:
            self._ledger.report(f"deleting album {album.id}: {answer.status_code}")

    def _choose(self) -> list[int]:
        kept = self._kept()
        return self._rng.sample(kept, min(self._rng.randint(1, _MAX), len(kept)))

    def _kept(self) -> list[int]:
        return [record.id for record in self._own if record.fate is Fate.KEPT and record.id]
