"""A client of direct uploads that does one step at a time."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self
from xml.etree import ElementTree as ET

import httpx

from safelight import keys
from support.app_server import AppServer


def declaration(data: bytes, **more: Any) -> dict[str, Any]:
    """Return the body of a request that reserves an upload."""
    return {"filename": "cat.jpg", "content_type": "image/jpeg", "size": len(data)} | more


def reserve(client: httpx.Client, data: bytes, **more: Any) -> httpx.Response:
    return client.post("/api/uploads", json=declaration(data, **more))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(request: dict[str, Any], data: bytes | None = None) -> httpx.Response:
    """Send a presigned request."""
    return httpx.request(
        request["method"], request["url"], headers=request["headers"], content=data, timeout=240
    )


def complete(client: httpx.Client, upload: dict[str, Any]) -> httpx.Response:
    return client.post(f"/api/uploads/{upload['id']}/complete")


def reserve_and_send(client: httpx.Client, data: bytes, **more: Any) -> dict[str, Any]:
    """Reserve an upload, send its bytes, and return the response to the reservation."""
    answer = reserve(client, data, **more)
    assert answer.status_code == 201, answer.text
    upload: dict[str, Any] = answer.json()
    sent = send(upload, data)
    assert sent.status_code == 200, sent.text
    return upload


def has_objects(app_server: AppServer, upload: dict[str, Any]) -> bool:
    """Return whether the bucket has an object or parts of an upload."""
    backends, key = app_server.library.backends, keys.incoming(upload["id"])
    size = app_server.do(backends.bucket.size(key))
    return size is not None or bool(app_server.do(backends.multipart.list_ids(key)))


@dataclass
class MultipartUpload:
    """A multipart upload. `upload_id` is the store's, after `create`."""

    client: httpx.Client
    data: bytes
    upload: dict[str, Any]
    upload_id: str = ""

    @classmethod
    def reserve(cls, client: httpx.Client, data: bytes, **more: Any) -> Self:
        answer = reserve(client, data, **more)
        assert answer.status_code == 201, answer.text
        return cls(client, data, answer.json())

    def sign(self, operation: str, **more: Any) -> dict[str, Any]:
        body = {"operation": operation, **more}
        if operation != "create":
            body.setdefault("upload_id", self.upload_id)
        answer = self.client.post(f"/api/uploads/{self.upload['id']}/sign", json=body)
        assert answer.status_code == 200, answer.text
        request: dict[str, Any] = answer.json()
        return request

    def create(self) -> None:
        response = send(self.sign("create"))
        assert response.status_code == 200, response.text
        self.upload_id = response.text.partition("<UploadId>")[2].partition("</UploadId>")[0]

    def bytes_of(self, number: int) -> bytes:
        size = self.upload["part_size"]
        return self.data[(number - 1) * size : number * size]

    def part(self, number: int) -> str:
        answer = send(self.sign("part", part_number=number), self.bytes_of(number))
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]

    def uploaded_parts(self) -> dict[int, str]:
        """Return the ETags of the uploaded parts, by number."""
        listed = send(self.sign("list"))
        assert listed.status_code == 200, listed.text
        return {
            int(part.findtext("{*}PartNumber") or 0): part.findtext("{*}ETag") or ""
            for part in ET.fromstring(listed.text).iterfind("{*}Part")
        }

    def assemble(self) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            for number, tag in sorted(self.uploaded_parts().items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        answer = send(self.sign("complete"), body.encode())
        assert answer.status_code == 200, answer.text
        assert "<Error>" not in answer.text
