"""A client of direct uploads, as the tests need one: it does each step when it is told."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self
from xml.etree import ElementTree as ET

import httpx

from integration.served import House
from safelight import keys


def reserve(client: httpx.Client, data: bytes, **more: Any) -> httpx.Response:  # noqa: ANN401
    asked = {"filename": "cat.jpg", "content_type": "image/jpeg", "size": len(data)} | more
    return client.post("/api/uploads", json=asked)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(permit: dict[str, Any], data: bytes | None = None) -> httpx.Response:
    """Make the request that a permit allows; several of them may go at once."""
    return httpx.request(
        permit["method"], permit["url"], headers=permit["headers"], content=data, timeout=60
    )


def complete(client: httpx.Client, upload: dict[str, Any]) -> httpx.Response:
    return client.post(f"/api/uploads/{upload['id']}/complete")


def sent(client: httpx.Client, data: bytes, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Reserve an upload in one request, and send it; gives what the reservation answered."""
    answer = reserve(client, data, **more)
    assert answer.status_code == 201, answer.text
    upload: dict[str, Any] = answer.json()
    arrived = send(upload, data)
    assert arrived.status_code == 200, arrived.text
    return upload


def lies(house: House, upload: dict[str, Any]) -> bool:
    """Tell whether anything of an upload lies in the bucket, whole or in parts."""
    parts, key = house.library.parts, keys.incoming(upload["id"])
    whole = house.do(parts.storage.size(key))
    return whole is not None or bool(house.do(parts.multiparts.begun(key)))


@dataclass
class InParts:
    """An upload in parts. `upload_id` is the store's, once it was created there."""

    client: httpx.Client
    data: bytes
    upload: dict[str, Any]
    upload_id: str = ""

    @classmethod
    def reserved(cls, client: httpx.Client, data: bytes, **more: Any) -> Self:  # noqa: ANN401
        answer = reserve(client, data, **more)
        assert answer.status_code == 201, answer.text
        return cls(client, data, answer.json())

    def sign(self, operation: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        asked = {"operation": operation, **more}
        if operation != "create":
            asked.setdefault("upload_id", self.upload_id)
        answer = self.client.post(f"/api/uploads/{self.upload['id']}/sign", json=asked)
        assert answer.status_code == 200, answer.text
        permit: dict[str, Any] = answer.json()
        return permit

    def create(self) -> None:
        told = send(self.sign("create"))
        assert told.status_code == 200, told.text
        self.upload_id = told.text.partition("<UploadId>")[2].partition("</UploadId>")[0]

    def bytes_of(self, number: int) -> bytes:
        size = self.upload["part_size"]
        return self.data[(number - 1) * size : number * size]

    def part(self, number: int) -> str:
        answer = send(self.sign("part", part_number=number), self.bytes_of(number))
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]

    def arrived(self) -> dict[int, str]:
        """Tell the ETags of the parts that are there, by their numbers."""
        listed = send(self.sign("list"))
        assert listed.status_code == 200, listed.text
        return {
            int(part.findtext("{*}PartNumber") or 0): part.findtext("{*}ETag") or ""
            for part in ET.fromstring(listed.text).iterfind("{*}Part")
        }

    def put_together(self) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            for number, tag in sorted(self.arrived().items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        answer = send(self.sign("complete"), body.encode())
        assert answer.status_code == 200, answer.text
        assert "<Error>" not in answer.text
