"""Clients that use the service during the test; each acts according to its random numbers."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from albums import AlbumCalls
from calls import Answered, Caller
from deletion import DeletionCalls
from ledger import EXISTING, Fate, Ledger, Record, digest
from photos import PhotoMaker

_TRIES = 4
_MAX_KEPT = 40
"""Photos that one client keeps at most; above that it deletes some."""
_SHARED = 30
"""Photos that all clients have and upload at any time, and none deletes."""
_VIEWS = 3
"""How often a client gets a photo whose links were revoked, until one is valid."""


class Client:
    """Uploads by form and directly, edits, turns, views and enlarges; abandons some half-way.

    It also does what `DeletionCalls` and `AlbumCalls` do.
    """

    def __init__(
        self, number: int, seed: int, photos: PhotoMaker, ledger: Ledger, caller: Caller
    ) -> None:
        self._number = number
        self._rng = random.Random(f"{seed}/client {number}")
        self._seed = seed
        self._photos = photos
        self._ledger = ledger
        self._caller = caller
        self._own: list[Record] = []
        self._count = 0
        self._deletion = DeletionCalls(self._own, self._rng, ledger, caller)
        self._albums = AlbumCalls(number, self._own, self._rng, ledger, caller)

    async def run(self, stop: asyncio.Event) -> None:
        """Perform one action after another until `stop` is set."""
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self._form: 30,
            self._direct: 20,
            self._in_parts: 12,
            self._upload_again: 6,
            **self._deletion.actions,
            **self._albums.actions,
            self._edit: 12,
            self._turn: 8,
            self._view: 12,
            self._enlarge: 12,
        }
        while not stop.is_set():
            (action,) = self._rng.choices(list(actions), list(actions.values()))
            if len(self._own) > _MAX_KEPT and action in {self._form, self._direct}:
                action = self._deletion.delete
            await action()
            await asyncio.sleep(self._rng.uniform(0.0, 0.1))

    async def _form(self) -> None:
        await self._send_form(*self._make_photo())

    async def _send_form(self, data: bytes, record: Record) -> None:
        (title,) = record.titles if len(record.titles) == 1 else ("",)
        files = {"photo": ("a.jpg", data, "image/jpeg")}
        for _ in range(_TRIES):
            answer = await self._caller.request(
                "form", "POST", "/api/photos", files=files, data={"title": title}
            )
            if self._record_upload(record, answer) or self._gave_up():
                return

    async def _direct(self) -> None:
        await self._send_directly(*self._make_photo())

    async def _upload_again(self) -> None:
        """Upload the bytes of a photo that exists, which restores it from the trash."""
        async with self._ledger.trash.shared():
            record = self._choose(*EXISTING)
            if record is None:
                return
            if record.fate is Fate.TRASHED:
                record.fate = Fate.STORED
            send = self._rng.choice([self._send_form, self._send_directly])
            await send(record.data, record)

    async def _send_directly(self, data: bytes, record: Record) -> None:
        upload = await self._reserve(data, record)
        if upload is None:
            return
        stored = await self._retry(lambda: self._caller.send("PUT", upload, data))
        await self._end(upload, record, is_sent=stored is not None)

    async def _in_parts(self) -> None:
        data, record = self._make_photo(large=self._rng.random() < 0.25)
        upload = await self._reserve(data, record, multipart=True)
        if upload is None:
            return
        await self._end(upload, record, is_sent=await self._send_parts(upload, data))

    async def _send_parts(self, upload: dict[str, Any], data: bytes) -> bool:
        created = await self._sign_and_send(upload, "create")
        if created is None:
            return False
        upload_id = created.text.partition("<UploadId>")[2].partition("</UploadId>")[0]
        size, tags = upload["part_size"], []
        for number in range(1, -(-len(data) // size) + 1):
            piece = data[(number - 1) * size : number * size]
            fields = {"upload_id": upload_id, "part_number": number}
            send = partial(self._sign_and_send, upload, "part", piece, **fields)
            part = await self._retry(send)
            if part is None or self._rng.random() < 0.04:
                return False
            tags.append((number, part.headers["ETag"]))
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            for number, tag in tags
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        whole = await self._sign_and_send(upload, "complete", body, upload_id=upload_id)
        return whole is not None and ET.fromstring(whole.content).tag.endswith("Result")

    async def _sign_and_send(
        self,
        upload: dict[str, Any],
        operation: str,
        data: bytes = b"",
        **more: Any,
    ) -> Answered:
        body = {"operation": operation, **more}
        signed = await self._caller.request(
            "sign", "POST", f"/api/uploads/{upload['id']}/sign", json=body
        )
        if signed is None or signed.status_code != httpx.codes.OK:
            return None
        return await self._caller.send(f"S3 {operation}", signed.json(), data)

    async def _reserve(self, data: bytes, record: Record, **more: Any) -> dict[str, Any] | None:
        """Reserve an upload; return None if that fails or the photo exists."""
        (title,) = record.titles if len(record.titles) == 1 else ("",)
        body: dict[str, Any] = {
            "filename": "a.jpg",
            "content_type": "image/jpeg",
            "size": len(data),
        }
        body |= {"title": title, **more}
        if self._rng.random() < 0.5:
            body["sha256"] = record.sha256
        answer = await self._retry(
            lambda: self._caller.request("reserve", "POST", "/api/uploads", json=body)
        )
        if answer is None or answer.status_code != httpx.codes.CREATED:
            self._record_upload(record, answer)
            return None
        upload: dict[str, Any] = answer.json()
        return upload

    async def _end(self, upload: dict[str, Any], record: Record, *, is_sent: bool) -> None:
        """Complete an upload, abort it, or abandon it."""
        path, chance = f"/api/uploads/{upload['id']}", self._rng.random()
        if chance < 0.06:
            return
        if chance < 0.14:
            answer = await self._caller.request("abort", "DELETE", path)
            if answer is not None and answer.is_success and not record.shared and record.id is None:
                record.fate = Fate.DELETED
            return
        for _ in range(_TRIES):
            answer = await self._caller.request("complete", "POST", f"{path}/complete")
            if answer is not None and answer.status_code == httpx.codes.CONFLICT and is_sent:
                self._ledger.report("complete: the store accepted the bytes and doesn't have them")
            if self._record_upload(record, answer) or self._gave_up():
                return

    async def _edit(self) -> None:
        record = self._choose(Fate.KEPT)
        if record is None:
            return
        title = f"title {self._rng.getrandbits(32)}"
        record.titles.add(title)
        changes = {"title": title}
        if self._rng.random() < 0.5:  # another month
            changes["taken_at"] = f"20{self._rng.randrange(10, 26)}-06-15T12:00:00"
        answer = await self._caller.request(
            "edit", "PATCH", f"/api/photos/{record.id}", json=changes
        )
        if answer is None:
            return
        record.titles = {title}
        if answer.status_code != httpx.codes.OK:
            self._ledger.report(f"edit of photo {record.id}: {answer.status_code}")

    async def _turn(self) -> None:
        record = self._choose(Fate.KEPT)
        if record is None:
            return
        turn = self._rng.choice([0, 90, 180, 270])
        record.turns.add(turn)
        record.moves = True  # its renditions get other keys
        path = f"/api/photos/{record.id}"
        answer = await self._caller.request("turn", "PATCH", path, json={"turn": turn})
        if answer is None:
            return
        record.turns = {turn}
        if answer.status_code != httpx.codes.OK or answer.json()["turn"] != turn:
            self._ledger.report(f"turn of photo {record.id}: {answer.text[:200]}")

    async def _view(self) -> None:
        record = self._choose(Fate.KEPT)
        if record is None:
            return
        for _ in range(_VIEWS if record.moves else 1):
            answer = await self._caller.request("view", "GET", f"/api/photos/{record.id}")
            if answer is None:
                return
            if answer.status_code != httpx.codes.OK:
                self._ledger.report(f"view of photo {record.id}: {answer.status_code}")
                return
            url = answer.json()["original_url"]
            record.links.add(url)
            found = await self._caller.fetch(url)
            if found is None or digest(found.content) == record.sha256:
                return
            if found.is_success:
                break
        self._ledger.report(f"the link of photo {record.id} doesn't return the photo")

    async def _enlarge(self) -> None:
        """Ask for the rendition on demand, and follow the link to it."""
        record = self._choose(Fate.KEPT)
        if record is None:
            return
        path = f"/api/photos/{record.id}/w2560"
        for _ in range(_VIEWS if record.moves else 1):
            answer = await self._caller.request("enlarge", "GET", path)
            if answer is None or answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                return
            if answer.status_code != httpx.codes.TEMPORARY_REDIRECT:
                self._ledger.report(f"enlarging photo {record.id}: {answer.status_code}")
                return
            record.links.add(answer.headers["Location"])
            found = await self._caller.fetch(answer.headers["Location"])
            if found is None or found.content.startswith((b"RIFF", b"\xff\xd8\xff")):
                return
            if found.is_success:
                break
        self._ledger.report(f"the link to a rendition of photo {record.id} doesn't return it")

    def _make_photo(self, *, large: bool = False) -> tuple[bytes, Record]:
        if self._rng.random() < 0.1:
            number = self._rng.randrange(_SHARED)
            shared = self._photos.make(f"shared {number}", random.Random(number))
            return shared, self._ledger.record(shared, "shared", shared=True)
        self._count += 1
        name = f"client {self._number} photo {self._count}"
        data = self._photos.make(name, self._rng, large=large)
        return data, self._ledger.record(data, name)

    def _choose(self, *fates: Fate) -> Record | None:
        fitting = [record for record in self._own if record.fate in fates]
        return self._rng.choice(fitting) if fitting else None

    def _record_upload(self, record: Record, answer: Answered) -> bool:
        """Record the outcome of an upload; return whether there is one."""
        if answer is None:
            return False
        if answer.status_code in {httpx.codes.OK, httpx.codes.CREATED}:
            photo = answer.json()
            if photo["sha256"] != record.sha256:
                self._ledger.report(f"photo {photo['id']} is acknowledged with another SHA-256")
            self._ledger.acknowledge(record, photo["id"], photo["original_url"])
            if not (record.shared or record in self._own):
                self._own.append(record)
        return True

    async def _retry(self, call: Callable[[], Awaitable[Answered]]) -> Answered:
        """Repeat a call without an answer, after a pause."""
        for _ in range(_TRIES):
            answer = await call()
            if answer is not None:
                return answer
            await asyncio.sleep(0.3)
        return None

    def _gave_up(self) -> bool:
        return self._rng.random() < 0.3
