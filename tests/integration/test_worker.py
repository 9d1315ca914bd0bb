"""`safelight worker` as a process: killed at every step of its jobs, it loses nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

import pictures
from integration.served import House, house, settings_for
from safelight import crash_points, keys
from safelight.engines import EmbeddedEngines
from safelight.library.incoming import Incoming
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.photo import Caption
from safelight.upload import Upload, UploadStatus

SCRIPT = Path(sys.executable).with_name("safelight")
OWNER = "owner"
LATER = max(STALE_AFTER, FORGET_AFTER) + timedelta(minutes=5)


@dataclass
class Fleet:
    """A library without a worker over a database of its own, and workers for it."""

    house: House

    @property
    def database_url(self) -> str:
        url = self.house.settings.database_url
        assert url is not None
        return url.get_secret_value()

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def put(self, task: str) -> None:
        """Have a task done at once."""
        self.sql(
            "INSERT INTO procrastinate_jobs (queue_name, task_name)"
            f" VALUES ('safelight', 'safelight.{task}')"
        )

    @contextmanager
    def worker(self, **more: str) -> Iterator["subprocess.Popen[str]"]:
        settings = self.house.settings
        secret = settings.s3.secret_key
        assert secret is not None
        environment = {
            "PATH": os.environ["PATH"],
            "SAFELIGHT_DATABASE_URL": self.database_url,
            "SAFELIGHT_S3__ENDPOINT_URL": str(settings.s3.endpoint_url),
            "SAFELIGHT_S3__ACCESS_KEY": str(settings.s3.access_key),
            "SAFELIGHT_S3__SECRET_KEY": secret.get_secret_value(),
            "SAFELIGHT_DATA_DIR": str(settings.data_dir),
            **more,
        }
        started = subprocess.Popen(
            [SCRIPT, "worker"], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            yield started
        finally:
            started.kill()
            started.communicate(timeout=20)

    def later(self, *, by: timedelta = LATER) -> None:
        """Do what the minutely job does, at a later time."""
        parts = self.house.library.parts
        now = self.house.library.now() + by
        self.house.do(Sweep(parts.catalog, parts.storage, clock=lambda: now).once())


@pytest.fixture
def fleet(engines: EmbeddedEngines, empty: str, tmp_path: Path) -> Iterator[Fleet]:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(empty), owner=OWNER)
    with house(settings, worker=False) as living:
        yield Fleet(living)


def _add(fleet: Fleet, seed: int) -> tuple[int, str]:
    file = fleet.house.library.spool.file()
    file.write(pictures.jpeg(64 + seed))
    with file:
        added = fleet.house.do(fleet.house.library.add(OWNER, file.file, Caption()))
    return added.photo.id, added.photo.name


def _bury(fleet: Fleet, id_: int, *, ago: timedelta) -> None:
    """Make a tombstone as a deletion does that dies right after its commit."""
    now = fleet.house.library.now() - ago
    fleet.house.do(fleet.house.library.parts.catalog.bury(OWNER, id_, now=now))


def _reserve(fleet: Fleet, *, ago: timedelta) -> str:
    """Leave a row pending, with its object, as an upload does that dies between the two."""
    parts, now = fleet.house.library.parts, fleet.house.library.now() - ago
    row = fleet.house.do(
        parts.catalog.reservations.make(OWNER, Caption(), name=keys.new_name(), now=now)
    )
    put = parts.storage.put(keys.original(row.name), b"half", content_type="image/png")
    fleet.house.do(put)
    return row.name


@pytest.mark.parametrize("point", crash_points.SWEEP)
def test_a_worker_killed_at_any_step_leaves_what_the_next_one_finishes(
    fleet: Fleet, point: str
) -> None:
    kept, kept_name = _add(fleet, 0)
    fresh, fresh_name = _add(fleet, 1)
    old, old_name = _add(fleet, 2)
    _bury(fleet, fresh, ago=timedelta(0))
    _bury(fleet, old, ago=LATER)
    names = {kept_name, fresh_name, old_name, _reserve(fleet, ago=LATER)}
    fleet.put("sweep")
    with fleet.worker(**{crash_points.VARIABLE: point}) as worker:
        assert worker.wait(60) == -signal.SIGKILL
    fleet.later()
    fleet.later(by=2 * LATER)
    assert [id_ for id_, _, _ in fleet.house.rows(OWNER)] == [kept]
    assert names & fleet.house.object_names() == {kept_name}


def _uploaded(fleet: Fleet, *, ago: timedelta, in_parts: bool = False) -> str:
    """Leave an open upload with its object, and parts, as a client does that goes away."""
    parts, began = fleet.house.library.parts, fleet.house.library.now() - ago
    upload = Upload(
        name=keys.new_name(),
        owner=OWNER,
        status=UploadStatus.OPEN,
        caption=Caption(),
        content_type="image/png",
        size=4,
        sha256=None,
        part_size=8 << 20 if in_parts else None,
        created_at=began,
        expires_at=began + timedelta(minutes=75),
    )
    fleet.house.do(parts.catalog.uploads.reserve(upload, at_most=10))
    key = keys.incoming(upload.name)
    fleet.house.do(parts.storage.put(key, b"half", content_type="image/png"))
    if in_parts:
        soon = fleet.house.library.now() + timedelta(minutes=5)
        permit = parts.permits.create(replace(upload, expires_at=soon))
        httpx.post(permit.url, headers=permit.headers).raise_for_status()
    return key


@pytest.mark.parametrize("point", crash_points.INCOMING)
def test_a_worker_killed_while_it_clears_uploads_away_leaves_what_the_next_one_finishes(
    fleet: Fleet, point: str
) -> None:
    parts, now = fleet.house.library.parts, fleet.house.library.now()
    sent = [
        _uploaded(fleet, ago=timedelta(hours=2)),
        _uploaded(fleet, ago=timedelta(hours=2, minutes=1), in_parts=True),
        _uploaded(fleet, ago=timedelta(hours=3), in_parts=True),
    ]
    kept = _uploaded(fleet, ago=timedelta(0))
    fleet.put("sweep")
    with fleet.worker(**{crash_points.VARIABLE: point}) as worker:
        assert worker.wait(60) == -signal.SIGKILL
    for later in (now, now + timedelta(minutes=30)):
        then = Incoming(
            parts.catalog,
            parts.storage,
            parts.multiparts,
            clock=lambda at=later: at,  # type: ignore[misc]
        )
        fleet.house.do(then.once())
    assert [fleet.house.do(parts.storage.size(key)) for key in sent] == [None] * 3
    assert [fleet.house.do(parts.multiparts.begun(key)) for key in sent] == [[]] * 3
    assert fleet.house.do(parts.storage.size(kept)) == 4
    names = fleet.sql("SELECT status, name FROM safelight_uploads")
    assert names == [("open", kept.partition("/")[2])]


def test_the_jobs_of_a_killed_worker_are_taken_up_within_a_minute(fleet: Fleet) -> None:
    doomed, name = _add(fleet, 3)
    _bury(fleet, doomed, ago=timedelta(0))
    fleet.put("purge")
    with fleet.worker(**{crash_points.VARIABLE: "purge: objects gone"}) as worker:
        assert worker.wait(60) == -signal.SIGKILL
    held = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'safelight.purge'"
    assert fleet.sql(held) == [("doing",)]
    died = time.monotonic()
    with fleet.worker():
        while fleet.sql(held):
            assert time.monotonic() - died < 60
            time.sleep(0.5)
    assert not fleet.house.stored(name)


def test_a_worker_ends_cleanly_and_says_when_it_is_ready(fleet: Fleet) -> None:
    with fleet.worker() as worker:
        assert worker.stderr is not None
        while "ready" not in (line := worker.stderr.readline()):
            assert line, "it ended"
        time.sleep(1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert fleet.sql("SELECT * FROM procrastinate_workers") == []


def test_without_a_worker_all_goes_on_but_what_was_left_to_the_jobs(fleet: Fleet) -> None:
    site = fleet.house.site(owner=OWNER)
    with site.client() as client:
        photo = client.post("/api/photos", files={"photo": pictures.png()}).json()
        assert [each["id"] for each in client.get("/api/photos").json()] == [photo["id"]]
        assert client.get(photo["photo_url"]).status_code == 200
        assert client.delete(f"/api/photos/{photo['id']}").status_code == 204
        assert client.get(photo["photo_url"]).status_code == 404
        assert client.get("/api/photos").json() == []
        jobs = client.get("/api/jobs").json()
        assert [each["task"] for each in jobs["oldest"]] == ["purge"]
        assert {state: jobs[state] for state in ("waiting", "late", "running", "failed")} == {
            "waiting": 1,
            "late": 0,
            "running": 0,
            "failed": 0,
        }
        fleet.sql("UPDATE procrastinate_jobs SET status = 'failed'")
        (failed,) = client.get("/api/jobs").json()["oldest"]
        assert (failed["state"], failed["attempts"]) == ("failed", 0)
        for missing in ("999", "abc", "-1", str(2**63)):
            assert client.post(f"/api/jobs/{missing}/retry").status_code == 404
        assert client.post(f"/api/jobs/{failed['id']}/retry").status_code == 204
        assert client.post("/api/jobs/retry").json() == []
        fleet.sql("UPDATE procrastinate_jobs SET status = 'failed'")
        assert client.post("/api/jobs/retry").json() == [failed["id"]]


def test_a_worker_without_engines_of_a_server_says_what_to_do(tmp_path: Path) -> None:
    ended = subprocess.run(
        [SCRIPT, "worker"],
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "SAFELIGHT_DATABASE_URL" in ended.stderr
    assert ended.stderr.count("\n") == 1
