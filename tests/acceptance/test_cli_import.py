"""`safelight import`, with a real server."""

import hashlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from support.fake_server import FakeResponse, problem, run_fake_server
from support.network import free_port
from support.pictures import TEXT, heic, jpeg, save, truncate
from support.serve_process import ServeProcess
from support.shell import Shell

PHOTO = {"id": 7, "photo_url": "http://s3/p", "original_url": "http://s3/o", "renditions": []}


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    folder = open_tmp_path / "import" / "safelight-data"
    # The same port after a restart.
    served = ServeProcess(folder, {"SAFELIGHT_PORT": str(free_port())})
    yield served.start()
    served.kill()


@pytest.fixture
def shell(server: ServeProcess, tmp_path: Path) -> Shell:
    variables = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(tmp_path, variables)


@pytest.fixture(autouse=True)
def _delete_all_photos(server: ServeProcess) -> None:
    with server.client() as client:
        for photo in client.get("/api/photos?limit=500").json():
            client.delete(f"/api/photos/{photo['id']}?permanent=true")


def _photos(server: ServeProcess) -> list[dict[str, Any]]:
    with server.client() as client:
        photos: list[dict[str, Any]] = client.get("/api/photos?limit=500").json()
    return photos


def _folder(shell: Shell, count: int, width: int = 200) -> Path:
    """Create a folder with `count` photos in two subfolders."""
    for number in range(count):
        inner = shell.folder / "all" / str(number % 2)
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{number}.jpg").write_bytes(jpeg(width, 100 + number))
    return shell.folder / "all"


def _noise(pixels: int) -> bytes:
    """Return a PNG of about three bytes per pixel."""
    side = int(pixels**0.5)
    noise = np.random.default_rng(pixels).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return save(Image.fromarray(noise), "PNG", compress_level=0)


def _wait_for_photos(server: ServeProcess, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(_photos(server)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_photos_are_found_at_any_depth_under_any_name(server: ServeProcess, shell: Shell) -> None:
    names = ["海辺.jpg", "two\nlines.JPEG", "b\udce4r.jpg", "no extension", "-r.txt", "a.heic"]
    deep = shell.folder / "odd" / "a b" / "ü\n" / "b\udce4r"
    deep.mkdir(parents=True)
    for number, name in enumerate(names[:-1]):
        (deep / name).write_bytes(jpeg(90, 60 + number))
    (shell.folder / "odd" / "a.heic").write_bytes(heic())
    result = shell.run("import", "odd")
    assert (result.code, result.err) == (0, "safelight: 6 added.\n")
    assert result.out.count("\n") == 6
    photos = {photo["filename"]: photo["content_type"] for photo in _photos(server)}
    expected = ["海辺.jpg", "two\ufffdlines.JPEG", "b\ufffdr.jpg", "no extension", "-r.txt"]
    assert photos == {**dict.fromkeys(expected, "image/jpeg"), "a.heic": "image/heic"}


def test_hidden_files_and_links_to_folders_are_skipped(server: ServeProcess, shell: Shell) -> None:
    folder = _folder(shell, 2)
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "a.jpg").write_bytes(jpeg(50, 50))
    (folder / ".hidden.jpg").write_bytes(jpeg(51, 50))
    (folder / "0" / "round").symlink_to("..")
    (shell.folder / "elsewhere.jpg").write_bytes(jpeg(52, 50))
    (folder / "linked.jpg").symlink_to("../elsewhere.jpg")
    result = shell.run("import", "all")
    assert result.code == 0
    assert "all/0/round: Links to folders are not followed." in result.err
    assert result.err.endswith("safelight: 3 added, 1 skipped, 2 hidden.\n")
    assert sorted(photo["width"] for photo in _photos(server)) == [52, 200, 200]
    assert shell.run("import", "all/.thumbnails").err == "safelight: 1 added.\n"


def test_duplicates_in_a_run_are_sent_once(server: ServeProcess, shell: Shell) -> None:
    folder = _folder(shell, 1)
    for number in range(9):
        shutil.copy(folder / "0" / "0.jpg", folder / f"copy-{number}.jpg")
    result = shell.run("import", "--jobs", "8", "all")
    assert (result.code, result.err) == (0, "safelight: 1 added, 9 already there.\n")
    assert len({line.split()[-2] for line in result.out.splitlines()}) == 1
    assert len(_photos(server)) == 1
    with run_fake_server(FakeResponse(201, PHOTO), pause=0.5) as fake:
        reservation = {"id": "abc", "method": "PUT", "url": f"{fake.url}/b", "headers": {}}
        fake.answers[:0] = [FakeResponse(201, reservation), FakeResponse(200, b"")]
        assert shell.run("import", "all", SAFELIGHT_URL=fake.url).code == 0
        assert [method for method, _, _ in fake.requests] == ["POST", "PUT", "POST"]


def test_failures_are_listed_with_reasons(server: ServeProcess, shell: Shell) -> None:
    folder = _folder(shell, 12)
    (folder / "damaged.jpg").write_bytes(truncate(jpeg(), 50))
    (folder / "fake.JPG").write_bytes(TEXT)
    (folder / "notes.txt").write_bytes(TEXT)
    (folder / "empty.jpg").touch()
    (folder / "nowhere.jpg").symlink_to("gone")
    (folder / "large.jpg").write_bytes(jpeg())
    os.truncate(folder / "large.jpg", 200 * 1024 * 1024 + 1)
    os.mkfifo(folder / "pipe")
    result = shell.run("import", "all", "nowhere")
    assert result.code == 1
    *errors, last = result.err.splitlines()
    assert last == "safelight: 12 added, 7 failed, 1 not a photo."
    reasons = {line.split(": ")[1]: line.split(": ", 2)[2] for line in errors}
    assert reasons.keys() == {
        *("all/damaged.jpg", "all/fake.JPG", "all/empty.jpg"),
        *("all/nowhere.jpg", "all/large.jpg", "all/pipe", "nowhere"),
    }
    assert "damaged" in reasons["all/damaged.jpg"]
    assert "JPEG, PNG" in reasons["all/fake.JPG"]
    assert "empty" in reasons["all/empty.jpg"]
    assert "limit is 200 MB" in reasons["all/large.jpg"]
    assert "not a regular file" in reasons["all/pipe"]
    assert "No such file" in reasons["nowhere"]
    assert len(_photos(server)) == 12


def test_import_prints_json(server: ServeProcess, shell: Shell) -> None:
    folder = _folder(shell, 3)
    (folder / "fake.jpg").write_bytes(TEXT)
    (folder / "notes.txt").write_bytes(TEXT)
    shell.run("upload", "all/0/0.jpg")
    result = shell.run("import", "--json", "all")
    assert (result.code, result.err) == (1, "")
    results = {entry["file"]: entry for entry in json.loads(result.out)}
    assert {file: entry["outcome"] for file, entry in results.items()} == {
        "all/0/0.jpg": "existing",
        "all/1/1.jpg": "added",
        "all/0/2.jpg": "added",
        "all/fake.jpg": "failed",
        "all/notes.txt": "skipped",
    }
    assert results["all/1/1.jpg"]["photo"]["filename"] == "1.jpg"
    assert results["all/fake.jpg"]["error"]["code"] == "unsupported_type"
    assert results["all/0/0.jpg"]["error"] is None


def test_a_dry_run_sends_nothing(server: ServeProcess, shell: Shell) -> None:
    folder = _folder(shell, 4)
    shutil.copy(folder / "0" / "2.jpg", folder / "zzz.jpg")
    shell.run("upload", "all/0/0.jpg")
    result = shell.run("import", "--dry-run", "all")
    assert (result.code, result.err) == (0, "safelight: 2 already there, 3 new.\n")
    assert [line.split()[-1] for line in result.out.splitlines() if line.startswith("new")] == [
        *("all/zzz.jpg", "all/1/1.jpg", "all/1/3.jpg")
    ]
    assert len(_photos(server)) == 1
    with run_fake_server(FakeResponse(200, [])) as fake:
        shell.run("import", "--dry-run", "all", SAFELIGHT_URL=fake.url)
        assert {method for method, _, _ in fake.requests} == {"GET"}


def test_killed_import_resumes(server: ServeProcess, shell: Shell) -> None:
    _folder(shell, 60)
    process = shell.start("import", "all")
    _wait_for_photos(server, 5)
    process.kill()
    process.communicate()
    result = shell.run("import", "all")
    assert result.code == 0
    found = re.fullmatch(r"safelight: (\d+) added, (\d+) already there\.\n", result.err)
    assert found
    assert int(found[1]) + int(found[2]) == len(_photos(server)) == 60
    assert int(found[2]) >= 5
    assert shell.run("import", "all").err == "safelight: 60 already there.\n"


def test_import_survives_a_restart_of_the_server(server: ServeProcess, shell: Shell) -> None:
    _folder(shell, 60)
    process = shell.start("import", "all")
    _wait_for_photos(server, 5)
    server.stop()
    server.start()
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert len(_photos(server)) == 60


def test_import_shows_progress(shell: Shell) -> None:
    _folder(shell, 29)
    (shell.folder / "all" / "large.png").write_bytes(_noise(4_000_000))
    result = shell.at_terminal("import", "all", piped=True)
    assert result.code == 0
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", result.err)
    assert re.search(r"━ \d+/30 files [\d.]+/1\d\.\d MB [\d.]+ [kM]B/s \d:\d\d:\d\d", shown)
    assert shown.endswith("safelight: 30 added.\r\n")
    assert "\x1b" not in result.out


def test_large_file_is_uploaded_in_parts(server: ServeProcess, shell: Shell) -> None:
    data = _noise(7_000_000)
    assert len(data) > 20_000_000
    (shell.folder / "large.png").write_bytes(data)
    result = shell.run("upload", "--title", "Noise", "large.png")
    assert (result.code, result.err) == (0, "")
    (photo,) = _photos(server)
    assert (photo["size"], photo["title"]) == (len(data), "Noise")
    assert httpx.get(photo["original_url"]).content == data


def test_ctrl_c_stops_an_import_and_prints_progress(shell: Shell) -> None:
    _folder(shell, 60)
    with run_fake_server(FakeResponse(201, PHOTO), older=True) as server:
        server.hold("POST /api/photos", after=5)
        process = shell.start("import", "--jobs", "8", "all", SAFELIGHT_URL=server.url)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(5)]
        assert server.held.wait(120)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert all(line.startswith(b"added") for line in lines)
    assert rest == b""
    assert errors.decode().endswith(
        "safelight: Stopped: 5 of 60 photos are done. Run the command again to resume.\n"
    )


def test_ctrl_c_aborts_reserved_uploads(shell: Shell) -> None:
    _folder(shell, 1)
    with (shell.folder / "all" / "0" / "0.jpg").open("ab") as file:
        file.truncate(400 * 1024 * 1024)
    aborted = ("DELETE", "/api/uploads/abc", 0)
    for _ in range(5):  # it has 1.5 seconds for that, which a busy machine may not give it
        with run_fake_server(FakeResponse(204, b"")) as server:
            reservation = {"id": "abc", "method": "PUT", "url": f"{server.url}/b", "headers": {}}
            server.answers.insert(0, FakeResponse(201, reservation))
            server.hold("PUT")
            process = shell.start("import", "all", SAFELIGHT_URL=server.url)
            assert server.held.wait(120)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
            assert process.returncode == 130
            if aborted in server.requests:
                break
    else:
        pytest.fail("The reservation was not aborted.")


def test_import_uses_forms_if_the_store_is_unreachable(server: ServeProcess, shell: Shell) -> None:
    for path in _folder(shell, 3).glob("*/*.jpg"):
        os.truncate(path, 600_000)
    reservation = {"id": "abc", "method": "PUT", "url": "http://127.0.0.1:1/b", "headers": {}}
    with run_fake_server(FakeResponse(201, PHOTO)) as fake:
        fake.answers[:0] = [FakeResponse(201, reservation), FakeResponse(204, b"")]
        result = shell.run("import", "--jobs", "1", "all", SAFELIGHT_URL=fake.url)
        requests = [(method, path) for method, path, _ in fake.requests]
    assert result.code == 0
    assert result.err == (
        "safelight: Uploading through the server, not straight to its bucket: can't reach the photo"
        " store at 127.0.0.1:1.\nsafelight: 3 added.\n"
    )
    assert requests == [
        ("POST", "/api/uploads"),
        ("DELETE", "/api/uploads/abc"),
        *[("POST", "/api/photos")] * 3,
    ]


def test_small_files_are_looked_up_together_and_sent_by_form(shell: Shell) -> None:
    folder = _folder(shell, 4)
    os.truncate(folder / "1" / "3.jpg", 600_000)
    known = {"sha256": hashlib.sha256((folder / "0" / "2.jpg").read_bytes()).hexdigest(), **PHOTO}
    with run_fake_server(FakeResponse(200, [known]), FakeResponse(201, PHOTO)) as fake:
        result = shell.run("import", "--jobs", "1", "all", SAFELIGHT_URL=fake.url)
        asked, *sent = [(method, path) for method, path, _ in fake.requests]
    assert asked == ("POST", "/api/uploads/existing")
    assert sent == [("POST", "/api/photos")] * 2 + [("POST", "/api/uploads")]
    assert "safelight: 2 added, 1 already there, 1 failed." in result.err


def test_small_file_over_the_limit_for_forms_goes_straight_to_the_bucket(shell: Shell) -> None:
    _folder(shell, 2)
    with run_fake_server(FakeResponse(413, {}), FakeResponse(200, PHOTO)) as fake:
        fake.answers.insert(0, FakeResponse(200, []))
        result = shell.run("import", "--jobs", "1", "all", SAFELIGHT_URL=fake.url)
        paths = [path for _, path, _ in fake.requests]
    assert result.err == "safelight: 2 already there.\n"
    assert paths == ["/api/uploads/existing", "/api/photos", "/api/uploads", "/api/photos"]


def test_server_that_is_busy_when_asked_for_photos_is_asked_again(shell: Shell) -> None:
    _folder(shell, 3)
    busy = problem(503, "busy", "Too many.", Retry_After="1")
    with run_fake_server(busy, FakeResponse(200, []), FakeResponse(201, PHOTO)) as fake:
        result = shell.run("import", "all", SAFELIGHT_URL=fake.url)
        paths = [path for _, path, _ in fake.requests]
    assert result.err == "safelight: 3 added.\n"
    assert paths == ["/api/uploads/existing"] * 2 + ["/api/photos"] * 3


def test_error_when_asked_for_photos_ends_the_run(shell: Shell) -> None:
    _folder(shell, 40)
    refusal = problem(401, "unauthenticated", "No.")
    with run_fake_server(refusal) as fake:
        result = shell.run("import", "all", SAFELIGHT_URL=fake.url)
        assert [path for _, path, _ in fake.requests] == ["/api/uploads/existing"]
    assert result.code == 1
    assert result.err.endswith("safelight: 1 failed, 39 not sent.\n")


@pytest.mark.parametrize("jobs", ["0", "-1", "65", "many"])
def test_invalid_number_of_jobs_is_a_usage_error(shell: Shell, jobs: str) -> None:
    assert shell.run("import", "--jobs", jobs, ".").code == 2
