"""The blocking library, in threads and in the examples for Flask and Django."""

import asyncio
import importlib.util
import inspect
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from safelight import Library, Settings, SyncLibrary
from safelight.errors import NotFound, SafelightError, UsageError
from safelight.library.sync.loop_thread import LoopThread
from safelight.testing import memory_library, photo

__all__ = ["memory_library"]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def sync(memory_library: Library) -> Iterator[SyncLibrary]:
    with SyncLibrary(memory_library) as library:
        yield library


def load_example(name: str, library: SyncLibrary) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.library = library  # type: ignore[attr-defined]
    return module


def test_calls_block_and_return_results(sync: SyncLibrary) -> None:
    added = sync.add("ada", io.BytesIO(photo()))
    assert sync.photo("ada", added.photo.id) == added.photo
    assert [each.id for each in sync.photos("ada", [added.photo.id])] == [added.photo.id]
    assert httpx.get(sync.link(added.photo).url).status_code == 200
    assert not sync.jobs.count() or sync.jobs.list()
    sync.delete("ada", added.photo.id)
    with pytest.raises(NotFound):
        sync.photo("ada", added.photo.id)


def test_direct_uploads_block_too(sync: SyncLibrary) -> None:
    data = photo()
    started: Any = sync.uploads.begin("ada", size=len(data), content_type="image/jpeg")
    request = started.request
    httpx.request(request.method, request.url, headers=request.headers, content=data)
    assert sync.uploads.complete("ada", started.upload.upload_id).created


def test_downloads_block_too(sync: SyncLibrary) -> None:
    added = sync.add("anna", photo())
    token = sync.create_download("anna", [added.photo.id]).token
    opened = sync.open_download("anna", token)
    whole = b"".join(opened.read())
    assert (len(whole), whole[:2]) == (opened.size, b"PK")
    assert b"".join(opened.read(10, 20)) == whole[10:20]


def test_many_threads_can_use_it(sync: SyncLibrary) -> None:
    def add_and_link(_number: int) -> str:
        added = sync.add("ada", io.BytesIO(photo(size=(32, 24))))
        return sync.link(sync.photo("ada", added.photo.id)).url

    with ThreadPoolExecutor(8) as threads:
        urls = list(threads.map(add_and_link, range(16)))
    assert len(set(urls)) == 16
    assert len(sync.page("ada").photos) == 16


def test_first_calls_of_many_threads_start_it_once(memory_library: Library) -> None:
    library = SyncLibrary(memory_library)
    with ThreadPoolExecutor(8) as threads:
        pages = list(threads.map(lambda _: library.page("ada"), range(16)))
    assert {len(page.photos) for page in pages} == {0}
    library.close()
    library.close()
    assert library.page("ada").photos == ()  # it starts again
    library.close()


def test_closing_ends_the_calls_of_other_threads(memory_library: Library) -> None:
    library, started = SyncLibrary(memory_library), threading.Event()

    async def wait_forever(_library: Library) -> None:
        started.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(library.run, wait_forever)
        assert started.wait(60)
        library.close()
        with pytest.raises(UsageError, match="closed by another thread"):
            call.result(timeout=120)
    assert not library.page("ada").photos
    library.close()


def test_calls_after_the_end_of_a_loop_are_refused() -> None:
    thread = LoopThread()
    thread.stop()
    with pytest.raises(UsageError, match="closed by another thread"):
        thread.run(asyncio.sleep(0))


def test_a_running_loop_is_not_blocked(memory_library: Library) -> None:
    library = SyncLibrary(memory_library)

    async def call() -> None:
        library.page("ada")

    with pytest.raises(UsageError, match="would block the event loop"):
        asyncio.run(call())


def test_a_failed_start_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    library = SyncLibrary.from_settings(Settings(data_dir=tmp_path / "file"))
    for _ in range(2):
        with pytest.raises(SafelightError, match="file"):
            library.start()


def test_a_fork_does_not_use_the_connections_of_its_parent(
    sync: SyncLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with pytest.raises(UsageError, match="forked"):
        sync.page("ada")
    monkeypatch.undo()


def test_a_fork_during_the_start_is_an_error_and_no_deadlock() -> None:
    code = """
import asyncio, os, threading
from safelight import Library, SyncLibrary, UsageError

begun, end = threading.Event(), threading.Event()

class Slow(Library):
    async def start(self):
        begun.set()
        while not end.is_set():
            await asyncio.sleep(0)

starting, unused = SyncLibrary(Slow(None)), SyncLibrary(Slow(None))
threading.Thread(target=starting.start).start()
begun.wait()
child = os.fork()
end.set()
if child == 0:
    unused.start()
    try:
        starting.start()
    except UsageError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
starting.start()
"""
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=environ,
        text=True,
        timeout=60,
    )
    assert "Make the first call after the fork" in result.stdout


def test_it_has_every_public_method_of_a_library(sync: SyncLibrary) -> None:
    apart = {"start", "close", "lifespan", "using", "from_settings"}
    methods = {
        name
        for name, method in inspect.getmembers(Library, callable)
        if not name.startswith("_") and name not in apart
    }
    assert len(methods) > 20
    assert {name for name in methods if not callable(getattr(sync, name, None))} == set()
    with pytest.raises(AttributeError):
        _ = sync.nothing  # type: ignore[attr-defined]


Client = Callable[..., tuple[int, Any]]


@pytest.fixture(params=["flask", "django"])
def client(request: pytest.FixtureRequest, sync: SyncLibrary) -> Client:
    """Return a function that sends a request to the example, and returns status and JSON."""
    module = load_example(f"{request.param}_app", sync)
    if request.param == "flask":
        flask_client = module.app.test_client()

        def send_to_flask(method: str, path: str, data: bytes | None = None) -> tuple[int, Any]:
            form = {"photo": (io.BytesIO(data), "a.jpg"), "title": "A"} if data else None
            headers = {"X-User": "ada"}
            answer = flask_client.open(path, method=method, data=form, headers=headers)
            return answer.status_code, answer.json if answer.is_json else answer.location

        return send_to_flask
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client as DjangoClient

    django_client = DjangoClient()

    def send_to_django(method: str, path: str, data: bytes | None = None) -> tuple[int, Any]:
        if data:
            form = {"photo": SimpleUploadedFile("a.jpg", data), "title": "A"}
            answer = django_client.post(path, form)
        else:
            answer = django_client.generic(method, path)
        is_json = answer.headers.get("Content-Type") == "application/json"
        return answer.status_code, answer.json() if is_json else answer.headers.get("Location")

    return send_to_django


def test_example_adds_lists_shows_and_deletes_photos(client: Client) -> None:
    assert client("GET", "/photos") == (200, [])
    status, added = client("POST", "/photos", photo(colour=(9, 8, 7)))
    assert (status, added["title"]) == (201, "A")
    assert client("POST", "/photos", photo(colour=(9, 8, 7)))[0] == 200
    assert client("GET", "/photos")[1][0]["id"] == added["id"]
    status, location = client("GET", f"/photos/{added['id']}")
    assert (status, httpx.get(location).status_code) == (302, 200)
    assert client("DELETE", f"/photos/{added['id']}") == (204, None)
    status, problem = client("DELETE", f"/photos/{added['id']}")
    assert (status, problem["code"]) == (404, "not_found")
    status, problem = client("POST", "/photos", b"text")
    assert (status, problem["code"]) == (415, "unsupported_type")
