"""A full disk, for the server, PostgreSQL and SeaweedFS."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from support import pictures
from support.disk import Disk, fill
from support.serve_process import ServeProcess

MiB = 1024 * 1024
LEFT = 30 * MiB
FULL = {"storage_full", "storage_unavailable", "catalog_unavailable"}


@pytest.fixture
def served(open_tmp_path: Path) -> Iterator[ServeProcess]:
    disk = Disk(open_tmp_path / "disk", 600 * MiB)
    disk.mount_point.mkdir()
    started = ServeProcess(
        disk.mount_point / "data", settings={"SAFELIGHT_AUTH": "none"}, before=disk.command_prefix()
    )
    yield started.start()
    started.stop()


def _photo(seed: int) -> bytes:
    return pictures.jpeg(40, 30) + np.random.default_rng(seed).bytes(2 * MiB)


def _upload(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/api/photos", files={"photo": photo})


def _assert_all_stored(client: httpx.Client, stored: dict[int, bytes]) -> None:
    listed = client.get("/api/photos", params={"limit": 100}).json()
    assert {photo["id"] for photo in listed} == set(stored)
    for photo in listed:
        original = client.get(photo["original_url"])
        assert (original.status_code, original.content == stored[photo["id"]]) == (200, True)


def _upload_when_possible(client: httpx.Client, seed: int, stored: dict[int, bytes]) -> None:
    deadline = time.monotonic() + 180
    while (response := _upload(client, _photo(seed))).status_code != 201:
        assert time.monotonic() < deadline, response.text
        time.sleep(0.5)
    stored[response.json()["id"]] = _photo(seed)


def test_full_disk_gives_503_until_there_is_space_and_loses_nothing(
    served: ServeProcess,
) -> None:
    assert served.process
    folder = Disk(served.data_dir.parent, 0).path_in(served.process.pid)
    stored: dict[int, bytes] = {}
    outcomes: Counter[tuple[int, str]] = Counter()
    with httpx.Client(base_url=served.url, timeout=120) as client:
        filler = fill(folder, leave=LEFT)
        for seed in range(30):
            photo = _photo(seed)
            response = _upload(client, photo)
            outcomes[response.status_code, response.json().get("code", "")] += 1
            if response.status_code == 201:
                stored[response.json()["id"]] = photo
            else:
                assert int(response.headers["Retry-After"]) > 0
        refused = {outcome for outcome in outcomes if outcome != (201, "")}
        assert refused, "the disk never got full"
        assert refused <= {(503, code) for code in FULL}, outcomes
        assert stored, "some photos should have been stored first"
        _assert_all_stored(client, stored)

        unready = client.get("/readyz")
        assert (unready.status_code, unready.json()["code"] in FULL) == (503, True)
        filler.unlink()
        _upload_when_possible(client, 99, stored)
        _assert_all_stored(client, stored)
