"""The disk under the server, PostgreSQL and SeaweedFS fills up, and gets space again."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import pictures
from acceptance.disk import Disk, fill
from acceptance.served import Served

MiB = 1024 * 1024
LEFT = 30 * MiB
FULL = {"storage_full", "storage_unavailable", "catalog_unavailable"}


@pytest.fixture
def served(open_tmp_path: Path) -> Iterator[Served]:
    disk = Disk(open_tmp_path / "disk", 600 * MiB)
    disk.place.mkdir()
    started = Served(disk.place / "data", settings={"SAFELIGHT_AUTH": "none"}, before=disk.before())
    yield started.start()
    started.stop()


def _photo(seed: int) -> bytes:
    return pictures.jpeg(40, 30) + np.random.default_rng(seed).bytes(2 * MiB)


def _upload(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/api/photos", files={"photo": photo})


def _assert_all_there(client: httpx.Client, kept: dict[int, bytes]) -> None:
    listed = client.get("/api/photos", params={"limit": 100}).json()
    assert {each["id"] for each in listed} == set(kept)
    for each in listed:
        found = client.get(each["original_url"])
        assert (found.status_code, found.content == kept[each["id"]]) == (200, True)


def test_a_full_disk_gives_503_reading_goes_on_and_space_makes_it_well(served: Served) -> None:
    assert served.process
    seen = Disk(served.data_dir.parent, 0).seen_by(served.process.pid)
    kept: dict[int, bytes] = {}
    outcomes: Counter[tuple[int, str]] = Counter()
    with httpx.Client(base_url=served.url, timeout=30) as client:
        filler = fill(seen, but=LEFT)
        for seed in range(30):
            photo = _photo(seed)
            answer = _upload(client, photo)
            outcomes[answer.status_code, answer.json().get("code", "")] += 1
            if answer.status_code == 201:
                kept[answer.json()["id"]] = photo
            else:
                assert int(answer.headers["Retry-After"]) > 0
        refused = {outcome for outcome in outcomes if outcome != (201, "")}
        assert refused, "the disk never got full"
        assert refused <= {(503, code) for code in FULL}, outcomes
        assert kept, "there was room for some"
        _assert_all_there(client, kept)

        filler.unlink()
        deadline = time.monotonic() + 60
        while (answer := _upload(client, _photo(99))).status_code != 201:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.5)
        kept[answer.json()["id"]] = _photo(99)
        _assert_all_there(client, kept)
