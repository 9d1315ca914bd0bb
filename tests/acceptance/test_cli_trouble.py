"""The commands when the server is away, busy, another, or not one at all.

What a real server can't be made to answer at will comes from a stand-in that says what it's told.
"""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from acceptance.served import SCRIPT
from acceptance.shell import Shell
from acceptance.stand_in import Answer, Handler, problem, standing_in
from pictures import jpeg

TOKEN = "hush-hush-0123456789"
PHOTO = {"id": 7, "photo_url": "http://s3/p", "original_url": "http://s3/o", "renditions": []}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell far from any server, with a token that no output may hold."""
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    (tmp_path / "b.jpg").write_bytes(jpeg(64, 49))
    return Shell(tmp_path, {"SAFELIGHT_TOKEN": TOKEN})


BUSY = problem(503, "busy", "Too many uploads are waiting.", Retry_After="1")
ADDED = Answer(201, PHOTO)
THERE = Answer(200, PHOTO)
NOTICE = (
    "safelight: Files go by the server, and not straight to its bucket: it is older than that.\n"
)
AGES = pytest.mark.parametrize("older", [True, False], ids=["older server", "server"])


@AGES
def test_a_busy_server_is_asked_again_when_it_says(shell: Shell, *, older: bool) -> None:
    with standing_in(BUSY, BUSY, ADDED if older else THERE, older=older) as server:
        began = time.monotonic()
        said = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        assert (said.code, said.err) == (0, NOTICE if older else "")
        assert said.out.split() == [*(["added"] if older else ["already", "there"]), "7", "a.jpg"]
        assert time.monotonic() - began >= 2
        assert len(server.asked) == 3
        assert len({size for _, _, size in server.asked}) == 1  # whole each time


def test_a_server_that_stays_busy_is_left_alone_at_last(shell: Shell) -> None:
    with standing_in(BUSY) as server:
        said = shell.run("upload", "a.jpg", "b.jpg", "--json", SAFELIGHT_URL=server.url)
        assert said.code == 1
        assert [each["outcome"] for each in json.loads(said.out)] == ["failed", "unsent"]
        assert len(server.asked) == 5


@AGES
def test_a_connection_that_breaks_is_tried_again(shell: Shell, *, older: bool) -> None:
    class Breaking(Handler):
        def answer(self) -> None:
            if self.server.asked or self.server.pause:
                super().answer()
            else:
                self.server.asked.append(("", "", 0))
                self.close_connection = True

        do_POST = answer  # noqa: N815

    with standing_in(ADDED if older else THERE, older=older) as server:
        server.RequestHandlerClass = Breaking
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0


ANSWERS = {
    "a wrong token": (problem(401, "unauthenticated", "A token is needed."), "SAFELIGHT_TOKEN"),
    "a proxy that wants a login": (Answer(401, b"<html>"), "SAFELIGHT_TOKEN"),
    "too many tries": (problem(429, "too_many_attempts", "Wait.", Retry_After="9"), "Wait."),
    "an unknown host": (problem(400, "unknown_host", "Not served."), "Not served."),
    "a page": (Answer(200, b"<html>Welcome</html>"), "not a Safelight server"),
    "other JSON": (Answer(200, {"id": 7}), "not a Safelight server"),
    "deep JSON": (Answer(200, b"[" * 100_000), "not a Safelight server"),
    "nothing there": (Answer(404, b"<html>"), "not a Safelight server"),
    "a redirect": (Answer(308, b"", Location="https://else.example/"), "https://else.example/"),
    "a failure": (problem(500, "error", "Something went wrong."), "log"),
    "a proxy's failure": (Answer(502, b"<html>"), "log"),
    "an unknown status": (Answer(599, b"?"), "log"),
    "a newer refusal": (problem(409, "newer_than_us", "Not like this."), "Not like this."),
    "an escape": (problem(409, "newer", "\x1b[31mred\nline"), "\ufffd[31mred\ufffdline"),
    "a store that is away": (
        problem(503, "storage_unavailable", "The photo store is away."),
        "The photo store is away.",
    ),
    "broken compression": (Answer(200, b"xx", Content_Encoding="gzip"), "try again"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_server_refuses_is_a_line_that_says_what_to_do(shell: Shell, name: str) -> None:
    answer, expected = ANSWERS[name]
    with standing_in(answer) as server:
        line = shell.run("ls", SAFELIGHT_URL=server.url).line
        assert expected in line
        assert TOKEN not in line
        assert len(server.asked) == 1


def test_a_proxy_that_finds_a_file_too_large_is_told_for_that_file(shell: Shell) -> None:
    with standing_in(Answer(413, b"<html>"), ADDED, older=True) as server:
        said = shell.run("upload", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert "a.jpg: The upload is larger" in said.err
        assert said.out.split() == ["added", "7", "b.jpg"]


@pytest.mark.parametrize(
    "command", [("ls",), ("url", "1"), ("rm", "--yes", "1"), ("upload", "a.jpg")]
)
def test_a_server_that_is_not_there_is_a_line(shell: Shell, command: tuple[str, ...]) -> None:
    line = shell.run(*command, SAFELIGHT_URL="http://127.0.0.1:1").line
    assert "safelight serve" in line
    assert "http://127.0.0.1:1" in line


def test_a_host_that_is_not_there_is_a_line(shell: Shell) -> None:
    assert "SAFELIGHT_URL" in shell.run("ls", SAFELIGHT_URL="http://nowhere.invalid").line


def test_too_many_open_uploads_are_waited_for(shell: Shell) -> None:
    full = problem(429, "too_many_uploads", "Too many uploads are open.", Retry_After="1")
    with standing_in(full, THERE) as server:
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0
        assert len(server.asked) == 2


def test_an_upload_in_parts_goes_on_where_it_broke(shell: Shell) -> None:
    """The second part's answer is a failure: the first is found to have arrived, and not resent."""
    with (shell.folder / "a.jpg").open("ab") as file:
        file.truncate(15 * 1024 * 1024)
    cut = {"id": "u", "part_size": 8 * 1024 * 1024, "parts": 2}
    created = b"<R><UploadId>x&amp;y</UploadId></R>"
    arrived = (
        b"<L><Part><PartNumber>1</PartNumber><ETag>&quot;one&quot;</ETag>"
        b"<Size>8388608</Size></Part></L>"
    )
    done = Answer(200, b"", ETag='"x"')
    with standing_in(ADDED) as server:
        permits = {
            name: Answer(200, {"method": method, "url": f"{server.url}/{name}", "headers": {}})
            for name, method in {"post": "POST", "put": "PUT", "get": "GET"}.items()
        }
        server.answers[:0] = [
            *(Answer(201, cut), permits["post"], Answer(200, created)),
            *(permits["put"], done, permits["put"], Answer(503, b"")),
            *(permits["get"], Answer(200, arrived), permits["put"], done),
            *(permits["post"], Answer(200, b"<C/>")),
        ]
        said = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        sent = [size for method, _, size in server.asked if method == "PUT"]
    assert (said.code, said.err) == (0, "")
    assert sent == [8 * 1024 * 1024, 7 * 1024 * 1024, 7 * 1024 * 1024]


def test_a_signature_that_is_over_is_had_anew(shell: Shell) -> None:
    with standing_in(ADDED) as server:
        permit = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        server.answers[:0] = [
            *(Answer(201, permit), Answer(403, b"<Error/>"), Answer(204, b"")),
            *(Answer(201, permit), Answer(200, b"")),
        ]
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0
        assert [method for method, _, _ in server.asked] == [
            *("POST", "PUT", "DELETE", "POST", "PUT", "POST")
        ]


def test_a_store_that_takes_nothing_is_gone_round(shell: Shell) -> None:
    with standing_in(ADDED) as server:
        permit = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        refused = [Answer(201, permit), Answer(403, b"<Error/>"), Answer(204, b"")]
        server.answers[:0] = [*refused, *refused]
        said = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        assert (said.code, said.err.count("answers 403")) == (0, 1)
        assert server.asked[-1][1] == "/api/photos"


def test_a_file_that_changed_on_its_way_is_told(shell: Shell) -> None:
    with standing_in(THERE) as server:
        permit = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        other = b"<Error><Code>BadDigest</Code></Error>"
        server.answers[:0] = [Answer(201, permit), Answer(400, other), Answer(204, b"")]
        said = shell.run("upload", "--jobs", "1", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert server.asked[2][:2] == ("DELETE", "/api/uploads/u")
    assert said.code == 1
    assert "a.jpg: It changed while it was sent" in said.err
    assert said.out.split() == ["already", "there", "7", "b.jpg"]


@pytest.mark.parametrize(
    "told",
    [
        {"id": "../photos/1", "method": "PUT", "url": "http://s3/", "headers": {}},
        {"id": "u", "part_size": 0, "parts": 2},
        {"id": "u", "part_size": 5, "parts": "many"},
        {"id": "u"},
        ["u"],
    ],
)
def test_a_reservation_that_is_none_is_told(shell: Shell, told: object) -> None:
    with standing_in(Answer(201, told)) as server:
        line = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).line
        assert "not a Safelight server" in line
        assert len(server.asked) == 1


def test_a_run_that_has_no_sense_ends_at_once(shell: Shell) -> None:
    with standing_in(ANSWERS["a wrong token"][0]) as server:
        said = shell.run("upload", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert len(server.asked) == 1
    assert said.code == 1
    first, last = said.err.splitlines()
    assert "a.jpg" in first
    assert last == "safelight: 2 of 2 files failed."


def test_the_next_page_is_asked_of_the_same_server(shell: Shell) -> None:
    link = '<http://thief.example/api/photos?after=x>; rel="next"'
    with standing_in(Answer(200, [PHOTO], Link=link), Answer(200, [PHOTO])) as server:
        said = shell.run("ls", "--json", SAFELIGHT_URL=server.url + "/behind/a/path")
        assert json.loads(said.out) == [PHOTO, PHOTO]
        assert [path for _, path, _ in server.asked] == [
            "/behind/a/path/api/photos?order=added&limit=100",
            "/behind/a/path/api/photos?after=x",
        ]


def test_this_machine_is_reached_without_a_proxy(shell: Shell) -> None:
    with standing_in(Answer(200, [])) as server:
        proxy = "http://127.0.0.1:1"
        said = shell.run("ls", SAFELIGHT_URL=server.url, HTTP_PROXY=proxy, http_proxy=proxy)
    assert said.code == 0


@AGES
def test_a_large_file_is_never_in_memory_whole(shell: Shell, *, older: bool) -> None:
    size = 700 * 1024 * 1024
    with (shell.folder / "large.jpg").open("wb") as file:
        file.write(jpeg())
        file.truncate(size)

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (size // 2, size // 2))

    with standing_in(ADDED, older=older) as server:
        if not older:
            permit = {"id": "1", "method": "PUT", "url": f"{server.url}/bucket", "headers": {}}
            server.answers[:0] = [Answer(201, permit), Answer(200, b"")]
        said = subprocess.run(
            [SCRIPT, "upload", shell.folder / "large.jpg"],
            check=True,
            env=shell.env(SAFELIGHT_URL=server.url),
            capture_output=True,
            timeout=60,
            preexec_fn=confine,
        )
        assert said.stdout.startswith(b"added")
        assert max(sent for _, _, sent in server.asked) >= size


def test_a_file_that_shrinks_meanwhile_fails_alone(shell: Shell) -> None:
    with (shell.folder / "log.jpg").open("wb") as file:
        file.write(jpeg())
        file.truncate(2 * 1024**3)  # Long enough to be caught at it.
    with standing_in(ADDED, older=True) as server:
        process = shell.start("upload", "log.jpg", "a.jpg", SAFELIGHT_URL=server.url)
        while (shell.folder / "log.jpg").stat().st_size and process.poll() is None:
            if _is_open(process.pid, "log.jpg"):
                os.truncate(shell.folder / "log.jpg", 0)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert b"log.jpg: It can't be read: it changed" in err
    assert out.split()[::2] == [b"added", b"a.jpg"]


def _is_open(pid: int, name: str) -> bool:
    try:
        return any(each.readlink().name == name for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


@pytest.mark.parametrize("command", ["ls", "upload"])
def test_ctrl_c_ends_it_without_a_word(shell: Shell, command: str) -> None:
    with standing_in(Answer(200, []), pause=5) as server:
        files = ["a.jpg"] if command == "upload" else []
        process = shell.start(command, *files, SAFELIGHT_URL=server.url)
        while not server.asked:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    "arguments",
    [("lss",), ("upload",), ("ls", "--limit", "0"), ("ls", "--order", "size"), ("url",), ("rm",)],
)
def test_a_wrong_command_line_is_a_line_and_a_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    said = shell.run(*arguments)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "--help" in said.err


def test_a_full_disk_is_a_line(shell: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [SCRIPT, "completion", "bash"],
            check=False,
            env=shell.env(),
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert ended.returncode == 1
    assert ended.stderr == b"safelight: The result can't be written: No space left on device.\n"


def test_a_token_that_is_not_there_is_told(shell: Shell) -> None:
    alone = Shell(shell.folder)
    assert "SAFELIGHT_DATA_DIR" in alone.run("token", "show").line
    assert "SAFELIGHT_DATA_DIR" in alone.run("token", "rotate").line
    assert not (shell.folder / "safelight-data").exists()
    line = shell.run("token", "rotate").line
    assert "SAFELIGHT_TOKEN" in line
    assert TOKEN not in line
