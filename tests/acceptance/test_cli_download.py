"""``safelight download``, with a real server and connections that break."""

import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.pictures import jpeg, png_chunk, png_with
from support.serve_process import ServeProcess
from support.shell import Shell

LARGE = 2_000_000


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    served = ServeProcess(open_tmp_path / "cli-download" / "safelight-data").start()
    yield served
    served.kill()


@pytest.fixture
def shell(server: ServeProcess, tmp_path: Path) -> Shell:
    return Shell(
        tmp_path, {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    )


@pytest.fixture(scope="module")
def photos(server: ServeProcess) -> dict[str, bytes]:
    """All photos of the server: their file names, and their bytes."""
    added = {
        "a.jpg": jpeg(320, 240),
        "b.png": png_with(png_chunk(b"saFe", bytes(LARGE))),
        "c.png": png_with(png_chunk(b"saFe", bytes(LARGE + 1))),
    }
    with server.client() as client:
        for name, data in added.items():
            response = client.post("/api/photos", files={"photo": (name, data)})
            assert response.status_code == 201
    return added


def _contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@contextmanager
def _breaking_proxy(to: int, breaks_after: list[int]) -> Iterator[int]:
    """Forward connections. Each of the first ones breaks after that many bytes of its response."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = [listener]
    threads: list[threading.Thread] = []

    def start(work: Callable[..., None], *arguments: object) -> None:
        threads.append(threading.Thread(target=work, args=arguments))
        threads[-1].start()

    def copy(source: socket.socket, target: socket.socket, limit: float) -> None:
        with suppress(OSError):
            while limit > 0 and (data := source.recv(65_536)):
                target.sendall(data[: int(min(limit, len(data)))])
                limit -= len(data)
        _shut_down(source, target)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", to))
                ends.extend((client, server))
                start(copy, client, server, float("inf"))
                start(copy, server, client, breaks_after.pop(0) if breaks_after else float("inf"))

    start(serve)
    try:
        yield listener.getsockname()[1]
    finally:
        _shut_down(*ends)
        for thread in threads:
            thread.join()
        for end in ends:
            end.close()


def _shut_down(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def test_all_originals_are_saved_once(shell: Shell, photos: dict[str, bytes]) -> None:
    result = shell.run("download", "--all", "--to", "all.zip")
    assert (result.code, result.err) == (0, "")
    assert result.out == "saved  3 photos  all.zip\n"
    assert _contents(shell.folder / "all.zip") == photos
    before = (shell.folder / "all.zip").read_bytes()
    again = shell.run("download", "--all", "--to", "all.zip")
    assert "all.zip already exists" in again.line
    assert (shell.folder / "all.zip").read_bytes() == before
    assert [path.name for path in shell.folder.iterdir()] == ["all.zip"]


def test_broken_connection_is_resumed(
    server: ServeProcess, shell: Shell, photos: dict[str, bytes]
) -> None:
    """The archive has four million bytes: it breaks in a file, and once more in the next one."""
    breaks_after = [1_000_000, 1_500_000]
    with _breaking_proxy(int(server.url.rpartition(":")[2]), breaks_after) as port:
        url = f"http://127.0.0.1:{port}"
        result = shell.run("download", "--all", "--to", "all.zip", SAFELIGHT_URL=url)
    assert (result.code, result.err) == (0, "")
    assert breaks_after == []
    assert _contents(shell.folder / "all.zip") == photos


def test_photos_that_do_not_exist_are_named(shell: Shell, photos: dict[str, bytes]) -> None:
    with_missing = shell.run("download", "999", "1", "--to", "some.zip")
    assert with_missing.code == 1
    assert with_missing.err == "safelight: There is no photo 999.\n"
    assert _contents(shell.folder / "some.zip") == {"a.jpg": photos["a.jpg"]}
    assert "no such photos" in shell.run("download", "999", "--to", "none.zip").line
    assert "numbers of photos, or --all" in shell.run("download").err
    assert "'x' is not a photo's number" in shell.run("download", "x").err
    assert "Can't write" in shell.run("download", "1", "--to", "none/a.zip").line
    assert [path.name for path in shell.folder.iterdir()] == ["some.zip"]
