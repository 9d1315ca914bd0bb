"""People who use the service while it is tortured: each does what its dice say."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from calls import Caller
from ledger import Fate, Ledger, Record, digest
from portraits import Portraits

_TRIES = 4
_MOST = 40
"""Photos that one client keeps, so that it deletes as it goes on."""
_SHARED = 30
"""Pictures that everybody has, and uploads at any time; nobody deletes them."""

Answered = httpx.Response | None


class Client:
    """Uploads by form and direct, deletes, edits and looks; and now and then gives up half-way."""

    def __init__(
        self, number: int, seed: int, portraits: Portraits, ledger: Ledger, caller: Caller
    ) -> None:
        self._number = number
        self._dice = random.Random(f"{seed}/client {number}")
        self._seed = seed
        self._portraits = portraits
        self._ledger = ledger
        self._caller = caller
        self._own: list[Record] = []
        self._made = 0

    async def live(self, over: asyncio.Event) -> None:
        """Do one thing after the other until it is over."""
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self._form: 30,
            self._direct: 20,
            self._in_parts: 12,
            self._delete: 14,
            self._edit: 12,
            self._look: 12,
        }
        while not over.is_set():
            (action,) = self._dice.choices(list(actions), list(actions.values()))
            if len(self._own) > _MOST and action in {self._form, self._direct}:
                action = self._delete
            await action()
            await asyncio.sleep(self._dice.uniform(0.0, 0.1))

    async def _form(self) -> None:
        data, record = self._picture()
        (title,) = record.titles if len(record.titles) == 1 else ("",)
        files = {"photo": ("a.jpg", data, "image/jpeg")}
        for _ in range(_TRIES):
            answer = await self._caller.ask(
                "form", "POST", "/api/photos", files=files, data={"title": title}
            )
            if self._added(record, answer) or self._gives_up():
                return

    async def _direct(self) -> None:
        data, record = self._picture()
        upload = await self._reserved(data, record)
        if upload is None:
            return
        arrived = await self._again(lambda: self._caller.send("PUT", upload, data))
        await self._end(upload, record, sent=arrived is not None)

    async def _in_parts(self) -> None:
        data, record = self._picture(large=self._dice.random() < 0.25)
        upload = await self._reserved(data, record, multipart=True)
        if upload is None:
            return
        await self._end(upload, record, sent=await self._parts_sent(upload, data))

    async def _parts_sent(self, upload: dict[str, Any], data: bytes) -> bool:
        created = await self._signed(upload, "create")
        if created is None:
            return False
        upload_id = created.text.partition("<UploadId>")[2].partition("</UploadId>")[0]
        size, tags = upload["part_size"], []
        for number in range(1, -(-len(data) // size) + 1):
            piece = data[(number - 1) * size : number * size]
            asked = {"upload_id": upload_id, "part_number": number}
            part = await self._again(lambda p=piece, a=asked: self._signed(upload, "part", p, **a))  # type: ignore[misc]
            if part is None or self._dice.random() < 0.04:
                return False
            tags.append((number, part.headers["ETag"]))
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            for number, tag in tags
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        whole = await self._signed(upload, "complete", body, upload_id=upload_id)
        return whole is not None and ET.fromstring(whole.content).tag.endswith("Result")

    async def _signed(
        self,
        upload: dict[str, Any],
        operation: str,
        data: bytes = b"",
        **more: Any,  # noqa: ANN401
    ) -> Answered:
        asked = {"operation": operation, **more}
        permit = await self._caller.ask(
            "sign", "POST", f"/api/uploads/{upload['id']}/sign", json=asked
        )
        if permit is None or permit.status_code != httpx.codes.OK:
            return None
        return await self._caller.send(f"S3 {operation}", permit.json(), data)

    async def _reserved(self, data: bytes, record: Record, **more: Any) -> dict[str, Any] | None:  # noqa: ANN401
        """Reserve an upload; None if that can't be had, or the photo is there already."""
        (title,) = record.titles if len(record.titles) == 1 else ("",)
        asked: dict[str, Any] = {
            "filename": "a.jpg",
            "content_type": "image/jpeg",
            "size": len(data),
        }
        asked |= {"title": title, **more}
        if self._dice.random() < 0.5:
            asked["sha256"] = record.sha256
        answer = await self._again(
            lambda: self._caller.ask("reserve", "POST", "/api/uploads", json=asked)
        )
        if answer is None or answer.status_code != httpx.codes.CREATED:
            self._added(record, answer)
            return None
        upload: dict[str, Any] = answer.json()
        return upload

    async def _end(self, upload: dict[str, Any], record: Record, *, sent: bool) -> None:
        """Complete an upload, or abort it, or leave it to itself."""
        path, luck = f"/api/uploads/{upload['id']}", self._dice.random()
        if luck < 0.06:
            return
        if luck < 0.14:
            answer = await self._caller.ask("abort", "DELETE", path)
            if answer is not None and answer.is_success and not record.shared:
                record.fate = Fate.GONE
            return
        for _ in range(_TRIES):
            answer = await self._caller.ask("complete", "POST", f"{path}/complete")
            if answer is not None and answer.status_code == httpx.codes.CONFLICT and sent:
                self._ledger.accuse("complete: the store took the bytes and hasn't got them")
            if self._added(record, answer) or self._gives_up():
                return

    async def _delete(self) -> None:
        record = self._chosen()
        if record is None:
            return
        certain = record.fate is Fate.KEPT
        for _ in range(_TRIES):
            answer = await self._caller.ask("delete", "DELETE", f"/api/photos/{record.id}")
            if answer is None:
                record.fate, certain = Fate.OPEN, False
                if self._gives_up():
                    return
                continue
            if answer.status_code == httpx.codes.NOT_FOUND and certain:
                self._ledger.accuse(f"photo {record.id} was acknowledged, and is not there")
            record.fate = Fate.GONE
            self._own.remove(record)
            return

    async def _edit(self) -> None:
        record = self._chosen()
        if record is None or record.fate is not Fate.KEPT:
            return
        title = f"title {self._dice.getrandbits(32)}"
        record.titles.add(title)
        answer = await self._caller.ask(
            "edit", "PATCH", f"/api/photos/{record.id}", json={"title": title}
        )
        if answer is None:
            return
        record.titles = {title}
        if answer.status_code != httpx.codes.OK:
            self._ledger.accuse(f"edit of photo {record.id}: {answer.status_code}")

    async def _look(self) -> None:
        record = self._chosen()
        if record is None or record.fate is not Fate.KEPT:
            return
        answer = await self._caller.ask("look", "GET", f"/api/photos/{record.id}")
        if answer is None:
            return
        if answer.status_code != httpx.codes.OK:
            self._ledger.accuse(f"look at photo {record.id}: {answer.status_code}")
            return
        found = await self._caller.fetch(answer.json()["original_url"])
        if found is not None and digest(found.content) != record.sha256:
            self._ledger.accuse(
                f"the link of photo {record.id} gives {found.status_code}, and not it"
            )

    def _picture(self, *, large: bool = False) -> tuple[bytes, Record]:
        if self._dice.random() < 0.1:
            number = self._dice.randrange(_SHARED)
            shared = self._portraits.one(f"shared {number}", random.Random(number))
            return shared, self._ledger.record(shared, "shared", shared=True)
        self._made += 1
        name = f"client {self._number} picture {self._made}"
        data = self._portraits.one(name, self._dice, large=large)
        return data, self._ledger.record(data, name)

    def _chosen(self) -> Record | None:
        return self._dice.choice(self._own) if self._own else None

    def _added(self, record: Record, answer: Answered) -> bool:
        """Note what came of an upload; whether it is decided."""
        if answer is None:
            return False
        if answer.status_code in {httpx.codes.OK, httpx.codes.CREATED}:
            photo = answer.json()
            if photo["sha256"] != record.sha256:
                self._ledger.accuse(f"photo {photo['id']} is acknowledged with another SHA-256")
            self._ledger.acknowledged(record, photo["id"], photo["original_url"])
            if not (record.shared or record in self._own):
                self._own.append(record)
        return True

    async def _again(self, call: Callable[[], Awaitable[Answered]]) -> Answered:
        """Repeat what had no answer, with a pause."""
        for _ in range(_TRIES):
            answer = await call()
            if answer is not None:
                return answer
            await asyncio.sleep(0.3)
        return None

    def _gives_up(self) -> bool:
        return self._dice.random() < 0.3
