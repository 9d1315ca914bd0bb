"""How commands send a file in a form."""

import io

import httpx
import pytest

from safelight.client.api import Client
from safelight.client.settings import ClientSettings


@pytest.mark.parametrize(("size", "at_once"), [(80_000, True), (2 << 20, False)])
def test_only_a_small_form_is_sent_from_memory_at_once(
    monkeypatch: pytest.MonkeyPatch, size: int, *, at_once: bool
) -> None:
    pieces: list[bytes] = []

    def receive(_transport: object, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        pieces.extend(request.stream)
        photo = {"id": 1, "photo_url": "p", "original_url": "o", "renditions": []}
        return httpx.Response(201, json=photo)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", receive)
    with Client(ClientSettings(url="http://127.0.0.1:1", token="t")) as client:
        client.add(io.BytesIO(bytes(size)), "a.jpg", title="Sea", sha256="0" * 64)
    assert bytes(size) in b"".join(pieces)
    assert (len(pieces) == 1) is at_once
    assert (max(map(len, pieces)) > size) is at_once
