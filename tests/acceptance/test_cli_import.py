"""Whole folders, by the command line, to a server and its store."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from acceptance.served import Served
from acceptance.shell import Shell
from acceptance.stand_in import Answer, standing_in
from pictures import TEXT, cut, heic, jpeg, save

PHOTO = {"id": 7, "photo_url": "http://s3/p", "original_url": "http://s3/o", "renditions": []}


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])  # the same after it was started again
    folder = open_tmp_path / "import" / "safelight-data"
    served = Served(folder, {"SAFELIGHT_PORT": port})
    with contextlib.ExitStack() as stack:
        # Or the store has its usual port, and another server may have taken it at a second start.
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8333)))
        served.start()
    yield served
    served.stop()


@pytest.fixture
def shell(server: Served, tmp_path: Path) -> Shell:
    told = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(tmp_path, told)


@pytest.fixture(autouse=True)
def _no_photos(server: Served) -> None:
    with server.client() as client:
        for photo in client.get("/api/photos?limit=500").json():
            client.delete(f"/api/photos/{photo['id']}")


def _photos(server: Served) -> list[dict[str, Any]]:
    with server.client() as client:
        photos: list[dict[str, Any]] = client.get("/api/photos?limit=500").json()
    return photos


def _folder(shell: Shell, count: int, width: int = 200) -> Path:
    """A folder of so many photos, in two others."""
    for number in range(count):
        inner = shell.folder / "all" / str(number % 2)
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{number}.jpg").write_bytes(jpeg(width, 100 + number))
    return shell.folder / "all"


def _noise(pixels: int) -> bytes:
    """A PNG of about three bytes for each pixel."""
    side = int(pixels**0.5)
    noise = np.random.default_rng(pixels).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return save(Image.fromarray(noise), "PNG", compress_level=0)


def _wait_for_photos(server: Served, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(_photos(server)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_photos_are_found_at_any_depth_and_whatever_they_are_called(
    server: Served, shell: Shell
) -> None:
    names = ["海辺.jpg", "two\nlines.JPEG", "b\udce4r.jpg", "no extension", "-r.txt", "a.heic"]
    deep = shell.folder / "odd" / "a b" / "ü\n" / "b\udce4r"
    deep.mkdir(parents=True)
    for number, name in enumerate(names[:-1]):
        (deep / name).write_bytes(jpeg(90, 60 + number))
    (shell.folder / "odd" / "a.heic").write_bytes(heic())
    said = shell.run("import", "odd")
    assert (said.code, said.err) == (0, "safelight: 6 added.\n")
    assert said.out.count("\n") == 6
    photos = {each["filename"]: each["content_type"] for each in _photos(server)}
    expected = ["海辺.jpg", "two\ufffdlines.JPEG", "b\ufffdr.jpg", "no extension", "-r.txt"]
    assert photos == {**dict.fromkeys(expected, "image/jpeg"), "a.heic": "image/heic"}


def test_the_hidden_and_links_to_folders_are_left_out(server: Served, shell: Shell) -> None:
    folder = _folder(shell, 2)
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "a.jpg").write_bytes(jpeg(50, 50))
    (folder / ".hidden.jpg").write_bytes(jpeg(51, 50))
    (folder / "0" / "round").symlink_to("..")
    (shell.folder / "elsewhere.jpg").write_bytes(jpeg(52, 50))
    (folder / "linked.jpg").symlink_to("../elsewhere.jpg")
    said = shell.run("import", "all")
    assert said.code == 0
    assert "all/0/round: It is a link to a folder" in said.err
    assert said.err.endswith("safelight: 3 added, 1 left out, 2 hidden.\n")
    assert sorted(each["width"] for each in _photos(server)) == [52, 200, 200]
    assert shell.run("import", "all/.thumbnails").err == "safelight: 1 added.\n"


def test_the_same_bytes_in_a_run_are_sent_once(server: Served, shell: Shell) -> None:
    folder = _folder(shell, 1)
    for number in range(9):
        shutil.copy(folder / "0" / "0.jpg", folder / f"copy-{number}.jpg")
    said = shell.run("import", "--jobs", "8", "all")
    assert (said.code, said.err) == (0, "safelight: 1 added, 9 already there.\n")
    assert len({line.split()[-2] for line in said.out.splitlines()}) == 1
    assert len(_photos(server)) == 1
    with standing_in(Answer(201, PHOTO), pause=0.5) as watched:
        permit = {"id": "abc", "method": "PUT", "url": f"{watched.url}/b", "headers": {}}
        watched.answers[:0] = [Answer(201, permit), Answer(200, b"")]
        assert shell.run("import", "all", SAFELIGHT_URL=watched.url).code == 0
        assert [method for method, _, _ in watched.asked] == ["POST", "PUT", "POST"]


def test_each_refusal_among_many_is_told_with_why(server: Served, shell: Shell) -> None:
    folder = _folder(shell, 12)
    (folder / "damaged.jpg").write_bytes(cut(jpeg(), 50))
    (folder / "fake.JPG").write_bytes(TEXT)
    (folder / "notes.txt").write_bytes(TEXT)
    (folder / "empty.jpg").touch()
    (folder / "nowhere.jpg").symlink_to("gone")
    (folder / "large.jpg").write_bytes(jpeg() + bytes(50 * 1024 * 1024))
    os.mkfifo(folder / "pipe")
    said = shell.run("import", "all", "nowhere")
    assert said.code == 1
    *told, last = said.err.splitlines()
    assert last == "safelight: 12 added, 7 failed, 1 left out."
    reasons = {line.split(": ")[1]: line.split(": ", 2)[2] for line in told}
    assert reasons.keys() == {
        *("all/damaged.jpg", "all/fake.JPG", "all/notes.txt", "all/empty.jpg"),
        *("all/nowhere.jpg", "all/large.jpg", "all/pipe", "nowhere"),
    }
    assert "damaged" in reasons["all/damaged.jpg"]
    assert "JPEG, PNG" in reasons["all/fake.JPG"]
    assert "empty" in reasons["all/empty.jpg"]
    assert "larger" in reasons["all/large.jpg"]
    assert "no file" in reasons["all/pipe"]
    assert "No such file" in reasons["nowhere"]
    assert len(_photos(server)) == 12


def test_outcomes_of_an_import_are_told_as_json(server: Served, shell: Shell) -> None:
    folder = _folder(shell, 3)
    (folder / "fake.jpg").write_bytes(TEXT)
    (folder / "notes.txt").write_bytes(TEXT)
    shell.run("upload", "all/0/0.jpg")
    said = shell.run("import", "--json", "all")
    assert (said.code, said.err) == (1, "")
    told = {each["file"]: each for each in json.loads(said.out)}
    assert {file: each["outcome"] for file, each in told.items()} == {
        "all/0/0.jpg": "existing",
        "all/1/1.jpg": "added",
        "all/0/2.jpg": "added",
        "all/fake.jpg": "failed",
        "all/notes.txt": "skipped",
    }
    assert told["all/1/1.jpg"]["photo"]["filename"] == "1.jpg"
    assert told["all/fake.jpg"]["error"]["code"] == "unsupported_type"
    assert told["all/0/0.jpg"]["error"] is None


def test_a_dry_run_sends_nothing(server: Served, shell: Shell) -> None:
    folder = _folder(shell, 4)
    shutil.copy(folder / "0" / "2.jpg", folder / "zzz.jpg")
    shell.run("upload", "all/0/0.jpg")
    said = shell.run("import", "--dry-run", "all")
    assert (said.code, said.err) == (0, "safelight: 2 already there, 3 to be sent.\n")
    assert [line.split()[-1] for line in said.out.splitlines() if line.startswith("new")] == [
        *("all/zzz.jpg", "all/1/1.jpg", "all/1/3.jpg")
    ]
    assert len(_photos(server)) == 1
    with standing_in(Answer(200, [])) as watched:
        shell.run("import", "--dry-run", "all", SAFELIGHT_URL=watched.url)
        assert {method for method, _, _ in watched.asked} == {"GET"}


def test_an_import_that_was_killed_goes_on_when_it_is_run_again(
    server: Served, shell: Shell
) -> None:
    _folder(shell, 60)
    process = shell.start("import", "all")
    _wait_for_photos(server, 5)
    process.kill()
    process.communicate()
    said = shell.run("import", "all")
    assert said.code == 0
    found = re.fullmatch(r"safelight: (\d+) added, (\d+) already there\.\n", said.err)
    assert found
    assert int(found[1]) + int(found[2]) == len(_photos(server)) == 60
    assert 5 <= int(found[2]) < 60
    assert shell.run("import", "all").err == "safelight: 60 already there.\n"


def test_a_server_that_is_started_again_meanwhile_is_waited_for(
    server: Served, shell: Shell
) -> None:
    _folder(shell, 60)
    process = shell.start("import", "all")
    _wait_for_photos(server, 5)
    server.stop()
    server.start()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert len(_photos(server)) == 60


def test_a_person_sees_how_far_an_import_is(shell: Shell) -> None:
    _folder(shell, 29)
    (shell.folder / "all" / "large.png").write_bytes(_noise(4_000_000))
    seen = shell.at_terminal("import", "all", piped=True)
    assert seen.code == 0
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen.err)
    assert re.search(r"━ \d+/30 files [\d.]+/1\d\.\d MB [\d.]+ [kM]B/s \d:\d\d:\d\d", shown)
    assert shown.endswith("safelight: 30 added.\r\n")
    assert "\x1b" not in seen.out


def test_a_large_file_goes_in_parts_and_arrives_whole(server: Served, shell: Shell) -> None:
    data = _noise(7_000_000)
    assert len(data) > 20_000_000
    (shell.folder / "large.png").write_bytes(data)
    said = shell.run("upload", "--title", "Noise", "large.png")
    assert (said.code, said.err) == (0, "")
    (photo,) = _photos(server)
    assert (photo["size"], photo["title"]) == (len(data), "Noise")
    assert httpx.get(photo["original_url"]).content == data


def test_ctrl_c_ends_an_import_at_once_and_tells_how_far_it_is(
    server: Served, shell: Shell
) -> None:
    _folder(shell, 60)
    process = shell.start("import", "--jobs", "8", "all")
    assert process.stdout
    told = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGINT)
    rest, complained = process.communicate(timeout=30)
    assert process.returncode == 130
    stopped = re.fullmatch(
        r"safelight: Stopped: (\d+) of 60 photos are done\. Run it again to go on\.\n",
        complained.decode(),
    )
    assert stopped
    done = int(stopped[1])
    assert len(told) <= done < 60
    assert len(told) + rest.count(b"\n") in {done - 1, done}
    assert done <= len(_photos(server))


def test_what_was_reserved_is_given_up_on_ctrl_c(shell: Shell) -> None:
    _folder(shell, 1)
    with (shell.folder / "all" / "0" / "0.jpg").open("ab") as file:
        file.truncate(400 * 1024 * 1024)
    with standing_in(Answer(204, b"")) as server:
        permit = {"id": "abc", "method": "PUT", "url": f"{server.url}/b", "headers": {}}
        server.answers.insert(0, Answer(201, permit))
        process = shell.start("import", "all", SAFELIGHT_URL=server.url)
        while not server.asked:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert ("DELETE", "/api/uploads/abc", 0) in server.asked


def test_a_store_that_cannot_be_reached_is_gone_round(server: Served, shell: Shell) -> None:
    _folder(shell, 3)
    permit = {"id": "abc", "method": "PUT", "url": "http://127.0.0.1:1/b", "headers": {}}
    with standing_in(Answer(201, PHOTO)) as stand_in:
        stand_in.answers[:0] = [Answer(201, permit), Answer(204, b"")]
        said = shell.run("import", "--jobs", "1", "all", SAFELIGHT_URL=stand_in.url)
        asked = [(method, path) for method, path, _ in stand_in.asked]
    assert said.code == 0
    assert said.err == (
        "safelight: Files go by the server, and not straight to its bucket: the photo store at"
        " 127.0.0.1:1 can't be reached.\nsafelight: 3 added.\n"
    )
    assert asked == [
        ("POST", "/api/uploads"),
        ("DELETE", "/api/uploads/abc"),
        *[("POST", "/api/photos")] * 3,
    ]


@pytest.mark.parametrize("jobs", ["0", "-1", "65", "many"])
def test_a_number_of_jobs_that_cannot_be_is_a_wrong_command_line(shell: Shell, jobs: str) -> None:
    assert shell.run("import", "--jobs", jobs, ".").code == 2
