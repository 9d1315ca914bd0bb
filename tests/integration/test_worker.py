"""`safelight worker` as a process: jobs survive its death at every step."""

import os
import signal
import subprocess
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

from safelight import crash_points, keys
from safelight.engines import EmbeddedEngines
from safelight.jobs.worker import DEFAULT
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.models import Caption, Upload, UploadStatus
from safelight.settings.validators import reveal
from support import pictures
from support.app_server import AppServer, run_app_server, settings_for
from support.engine_driver import wait_until
from support.fork_server import SCRIPT, Process, start_command

OWNER = "owner"
LATER = max(STALE_AFTER, FORGET_AFTER) + timedelta(minutes=5)


@dataclass
class Fleet:
    """A library without a worker over its own database, and worker processes for it."""

    server: AppServer

    @property
    def database_url(self) -> str:
        url = self.server.settings.database_url
        assert url is not None
        return reveal(url)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def enqueue(self, task: str) -> None:
        """Enqueue a task."""
        self.sql(
            "INSERT INTO procrastinate_jobs (queue_name, task_name)"
            f" VALUES ('safelight', 'safelight.{task}')"
        )

    @contextmanager
    def worker(self, **variables: str) -> Iterator[Process]:
        settings = self.server.settings
        secret = settings.s3.secret_key
        assert secret is not None
        environment = {
            "PATH": os.environ["PATH"],
            "SAFELIGHT_DATABASE_URL": self.database_url,
            "SAFELIGHT_S3__ENDPOINT_URL": str(settings.s3.endpoint_url),
            "SAFELIGHT_S3__ACCESS_KEY": str(settings.s3.access_key),
            "SAFELIGHT_S3__SECRET_KEY": reveal(secret),
            "SAFELIGHT_DATA_DIR": str(settings.data_dir),
            **variables,
        }
        started = start_command(["worker"], env=environment, stdout=1)
        try:
            yield started
        finally:
            started.kill()
            started.communicate(timeout=120)

    def sweep(self, *, by: timedelta = LATER) -> None:
        """Sweep with a clock that is ahead of the library's."""
        backends = self.server.library.backends
        now = self.server.library.now() + by
        self.server.do(Sweep(backends.catalog, backends.bucket, clock=lambda: now).run())


@pytest.fixture
def fleet(engines: EmbeddedEngines, database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(database_url), owner=OWNER)
    with run_app_server(settings, worker=False) as app_server:
        yield Fleet(app_server)


def _add(fleet: Fleet, seed: int) -> tuple[int, str]:
    with fleet.server.library.spool.file("o") as file:
        file.write(pictures.jpeg(64 + seed))
        added = fleet.server.do(fleet.server.library.add(OWNER, file.file, Caption()))
    return added.photo.id, added.photo.storage_id


def _soft_delete(fleet: Fleet, id_: int, *, ago: timedelta) -> None:
    """Leave a tombstone, like a deletion that crashes after its commit."""
    now = fleet.server.library.now() - ago
    fleet.server.do(fleet.server.library.backends.catalog.soft_delete(OWNER, id_, now=now))


def _leave_reservation(fleet: Fleet, *, ago: timedelta) -> str:
    """Leave a pending row and its object, like an upload that crashes before it publishes."""
    backends, now = fleet.server.library.backends, fleet.server.library.now() - ago
    row = fleet.server.do(
        backends.catalog.reservations.reserve(
            OWNER, Caption(), storage_id=keys.new_storage_id(), now=now
        )
    )
    put = backends.bucket.put(keys.original(row.storage_id), b"half", content_type="image/png")
    fleet.server.do(put)
    return row.storage_id


@pytest.mark.parametrize("point", crash_points.SWEEP)
def test_killed_sweep_is_finished_by_the_next_one(fleet: Fleet, point: str) -> None:
    kept, kept_id = _add(fleet, 0)
    fresh, fresh_id = _add(fleet, 1)
    old, old_id = _add(fleet, 2)
    _soft_delete(fleet, fresh, ago=timedelta(0))
    _soft_delete(fleet, old, ago=LATER)
    storage_ids = {kept_id, fresh_id, old_id, _leave_reservation(fleet, ago=LATER)}
    fleet.enqueue("sweep")
    with fleet.worker(**{crash_points.VARIABLE: point}) as worker:
        assert worker.wait(180) == -signal.SIGKILL
    fleet.sweep()
    fleet.sweep(by=2 * LATER)
    assert [id_ for id_, _, _ in fleet.server.rows(OWNER)] == [kept]
    assert storage_ids & fleet.server.stored_ids() == {kept_id}


def _leave_upload(fleet: Fleet, *, ago: timedelta, in_parts: bool = False) -> str:
    """Leave an open upload with its object or parts, like a client that disappears."""
    backends, began = fleet.server.library.backends, fleet.server.library.now() - ago
    upload = Upload(
        upload_id=keys.new_storage_id(),
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
    fleet.server.do(backends.catalog.uploads.reserve(upload, at_most=10))
    key = keys.incoming(upload.upload_id)
    fleet.server.do(backends.bucket.put(key, b"half", content_type="image/png"))
    if in_parts:
        soon = fleet.server.library.now() + timedelta(minutes=5)
        request = backends.upload_signer.create(replace(upload, expires_at=soon))
        httpx.post(request.url, headers=request.headers).raise_for_status()
    return key


@pytest.mark.parametrize("point", crash_points.INCOMING)
def test_killed_upload_cleanup_is_finished_by_the_next_one(fleet: Fleet, point: str) -> None:
    backends, now = fleet.server.library.backends, fleet.server.library.now()
    sent = [
        _leave_upload(fleet, ago=timedelta(hours=2)),
        _leave_upload(fleet, ago=timedelta(hours=2, minutes=1), in_parts=True),
        _leave_upload(fleet, ago=timedelta(hours=3), in_parts=True),
    ]
    kept = _leave_upload(fleet, ago=timedelta(0))
    fleet.enqueue("sweep")
    with fleet.worker(**{crash_points.VARIABLE: point}) as worker:
        assert worker.wait(180) == -signal.SIGKILL
    for later in (now, now + timedelta(minutes=30)):
        cleanup = UploadCleanup(
            backends.catalog.uploads,
            backends.bucket,
            backends.multipart,
            clock=lambda at=later: at,  # type: ignore[misc]
        )
        fleet.server.do(cleanup.run())
    assert [fleet.server.do(backends.bucket.size(key)) for key in sent] == [None] * 3
    assert [fleet.server.do(backends.multipart.list_ids(key)) for key in sent] == [[]] * 3
    assert fleet.server.do(backends.bucket.size(kept)) == 4
    rows = fleet.sql("SELECT status, name FROM safelight_uploads")
    assert rows == [("open", kept.partition("/")[2])]


def test_jobs_of_a_killed_worker_are_rescued_within_a_minute(fleet: Fleet) -> None:
    deleted, storage_id = _add(fleet, 3)
    _soft_delete(fleet, deleted, ago=timedelta(0))
    fleet.enqueue("purge")
    with fleet.worker(**{crash_points.VARIABLE: "purge: objects gone"}) as worker:
        assert worker.wait(180) == -signal.SIGKILL
    status = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'safelight.purge'"
    assert fleet.sql(status) == [("doing",)]
    assert DEFAULT.stalled_after + DEFAULT.rescue_interval < timedelta(minutes=1)
    fleet.sql(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat"
        f" - interval '{DEFAULT.stalled_after.total_seconds()} seconds'"
    )
    with fleet.worker():
        deadline = time.monotonic() + 180
        while fleet.sql(status):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert not fleet.server.is_stored(storage_id)


def test_worker_logs_that_it_is_ready_and_stops_cleanly(fleet: Fleet) -> None:
    with fleet.worker() as worker:
        assert worker.stderr is not None
        while b"ready" not in (line := worker.stderr.readline()):
            assert line, "the worker exited"
        time.sleep(1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(120) == 0
    assert fleet.sql("SELECT * FROM procrastinate_workers") == []


def test_without_a_worker_requests_succeed_and_jobs_wait(fleet: Fleet) -> None:
    site = fleet.server.site(owner=OWNER)
    with site.client() as client:
        photo = client.post("/api/photos", files={"photo": pictures.png()}).json()
        assert [item["id"] for item in client.get("/api/photos").json()] == [photo["id"]]
        assert client.get(photo["photo_url"]).status_code == 200
        assert client.delete(f"/api/photos/{photo['id']}?permanent=true").status_code == 204
        assert wait_until(lambda: client.get(photo["photo_url"]).status_code == 404)
        assert client.get("/api/photos").json() == []
        jobs = client.get("/api/jobs").json()
        assert [job["task"] for job in jobs["oldest"]] == ["purge"]
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


def test_worker_without_a_database_names_the_missing_setting(tmp_path: Path) -> None:
    result = subprocess.run(
        [SCRIPT, "worker"],
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "SAFELIGHT_DATABASE_URL" in result.stderr
    assert result.stderr.count("\n") == 1
