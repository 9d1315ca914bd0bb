"""The client commands when the server is down, busy, broken or something else.

A fake server gives the responses that a real one can't be made to give.
"""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.fake_server import FakeResponse, Handler, problem, run_fake_server
from support.fork_server import SCRIPT
from support.pictures import jpeg
from support.shell import Shell

TOKEN = "hush-hush-0123456789"
PHOTO = {"id": 7, "photo_url": "http://s3/p", "original_url": "http://s3/o", "renditions": []}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell without a server, with a token that must not be printed."""
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    (tmp_path / "b.jpg").write_bytes(jpeg(64, 49))
    return Shell(tmp_path, {"SAFELIGHT_TOKEN": TOKEN})


BUSY = problem(503, "busy", "Too many uploads are waiting.", Retry_After="1")
ADDED = FakeResponse(201, PHOTO)
EXISTING = FakeResponse(200, PHOTO)
NOTICE = (
    "safelight: Uploading through the server, not straight to its bucket: the server is too old for"
    " that.\n"
)
VERSIONS = pytest.mark.parametrize("older", [True, False], ids=["older server", "server"])


@VERSIONS
def test_busy_server_is_retried_after_the_given_time(shell: Shell, *, older: bool) -> None:
    with run_fake_server(BUSY, BUSY, ADDED if older else EXISTING, older=older) as server:
        began = time.monotonic()
        result = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        assert (result.code, result.err) == (0, NOTICE if older else "")
        assert result.out.split() == [*(["added"] if older else ["already", "there"]), "7", "a.jpg"]
        assert time.monotonic() - began >= 2
        assert len(server.requests) == 3
        assert len({size for _, _, size in server.requests}) == 1  # whole each time


def test_retries_are_limited(shell: Shell) -> None:
    with run_fake_server(BUSY) as server:
        result = shell.run("upload", "a.jpg", "b.jpg", "--json", SAFELIGHT_URL=server.url)
        assert result.code == 1
        assert [entry["outcome"] for entry in json.loads(result.out)] == ["failed", "unsent"]
        assert len(server.requests) == 5


@VERSIONS
def test_broken_connection_is_retried(shell: Shell, *, older: bool) -> None:
    class Breaking(Handler):
        def answer(self) -> None:
            if self.server.requests or self.server.pause:
                super().answer()
            else:
                self.server.requests.append(("", "", 0))
                self.close_connection = True

        do_POST = answer  # noqa: N815

    with run_fake_server(ADDED if older else EXISTING, older=older) as server:
        server.RequestHandlerClass = Breaking
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0


def test_server_that_does_not_know_modified_at_gets_the_photo(shell: Shell) -> None:
    unknown = problem(422, "invalid_request", "Object contains unknown field `modified_at`.")
    with run_fake_server(unknown, EXISTING) as server:
        result = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        assert (result.code, result.err) == (0, "")
        (_, _, first), (_, _, second) = server.requests
        assert second < first


RESPONSES = {
    "a wrong token": (problem(401, "unauthenticated", "A token is needed."), "SAFELIGHT_TOKEN"),
    "a proxy with a login": (FakeResponse(401, b"<html>"), "SAFELIGHT_TOKEN"),
    "too many attempts": (problem(429, "too_many_attempts", "Wait.", Retry_After="9"), "Wait."),
    "an unknown host": (problem(400, "unknown_host", "Not served."), "Not served."),
    "a page": (FakeResponse(200, b"<html>Welcome</html>"), "not a Safelight server"),
    "other JSON": (FakeResponse(200, {"id": 7}), "not a Safelight server"),
    "deep JSON": (FakeResponse(200, b"[" * 100_000), "not a Safelight server"),
    "not found": (FakeResponse(404, b"<html>"), "not a Safelight server"),
    "a redirect": (
        FakeResponse(308, b"", Location="https://else.example/"),
        "https://else.example/",
    ),
    "a failure": (problem(500, "error", "Something went wrong."), "log"),
    "a proxy's failure": (FakeResponse(502, b"<html>"), "log"),
    "an unknown status": (FakeResponse(599, b"?"), "log"),
    "an unknown refusal": (problem(409, "newer_than_us", "Not like this."), "Not like this."),
    "an escape": (problem(409, "newer", "\x1b[31mred\nline"), "\ufffd[31mred\ufffdline"),
    "an unavailable store": (
        problem(503, "storage_unavailable", "The photo store is away."),
        "The photo store is away.",
    ),
    "broken compression": (FakeResponse(200, b"xx", Content_Encoding="gzip"), "try again"),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_error_response_is_one_line_with_advice(shell: Shell, name: str) -> None:
    response, expected = RESPONSES[name]
    with run_fake_server(response) as server:
        line = shell.run("ls", SAFELIGHT_URL=server.url).line
        assert expected in line
        assert TOKEN not in line
        assert len(server.requests) == 1


def test_file_too_large_for_a_proxy_fails_alone(shell: Shell) -> None:
    with run_fake_server(FakeResponse(413, b"<html>"), ADDED, older=True) as server:
        result = shell.run("upload", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert "a.jpg: A proxy before the server refuses files of this size" in result.err
        assert result.out.split() == ["added", "7", "b.jpg"]


@pytest.mark.parametrize(
    "command", [("ls",), ("url", "1"), ("rm", "--yes", "1"), ("upload", "a.jpg")]
)
def test_unreachable_server_is_one_line(shell: Shell, command: tuple[str, ...]) -> None:
    line = shell.run(*command, SAFELIGHT_URL="http://127.0.0.1:1").line
    assert "safelight serve" in line
    assert "http://127.0.0.1:1" in line


def test_unknown_host_is_one_line(shell: Shell) -> None:
    quick = {"RES_OPTIONS": "timeout:1 attempts:1"}
    assert "SAFELIGHT_URL" in shell.run("ls", SAFELIGHT_URL="https://nowhere.invalid", **quick).line


def test_too_many_open_uploads_are_retried(shell: Shell) -> None:
    full = problem(429, "too_many_uploads", "Too many uploads are open.", Retry_After="1")
    with run_fake_server(full, EXISTING) as server:
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0
        assert len(server.requests) == 2


def test_multipart_upload_resumes(shell: Shell) -> None:
    """The second part fails; the first is listed by the store and not sent again."""
    with (shell.folder / "a.jpg").open("ab") as file:
        file.truncate(15 * 1024 * 1024)
    reservation = {"id": "u", "part_size": 8 * 1024 * 1024, "parts": 2}
    created = b"<R><UploadId>x&amp;y</UploadId></R>"
    stored = (
        b"<L><Part><PartNumber>1</PartNumber><ETag>&quot;one&quot;</ETag>"
        b"<Size>8388608</Size></Part></L>"
    )
    done = FakeResponse(200, b"", ETag='"x"')
    with run_fake_server(ADDED) as server:
        requests = {
            name: FakeResponse(
                200, {"method": method, "url": f"{server.url}/{name}", "headers": {}}
            )
            for name, method in {"post": "POST", "put": "PUT", "get": "GET"}.items()
        }
        server.answers[:0] = [
            *(FakeResponse(201, reservation), requests["post"], FakeResponse(200, created)),
            *(requests["put"], done, requests["put"], FakeResponse(503, b"")),
            *(requests["get"], FakeResponse(200, stored), requests["put"], done),
            *(requests["post"], FakeResponse(200, b"<C/>")),
        ]
        result = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        sent = [size for method, _, size in server.requests if method == "PUT"]
    assert (result.code, result.err) == (0, "")
    assert sent == [8 * 1024 * 1024, 7 * 1024 * 1024, 7 * 1024 * 1024]


def test_rejected_signature_is_replaced(shell: Shell) -> None:
    with run_fake_server(ADDED) as server:
        reservation = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        server.answers[:0] = [
            *(
                FakeResponse(201, reservation),
                FakeResponse(403, b"<Error/>"),
                FakeResponse(204, b""),
            ),
            *(FakeResponse(201, reservation), FakeResponse(200, b"")),
        ]
        assert shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).code == 0
        assert [method for method, _, _ in server.requests] == [
            *("POST", "PUT", "DELETE", "POST", "PUT", "POST")
        ]


def test_store_that_rejects_signatures_is_bypassed(shell: Shell) -> None:
    with run_fake_server(ADDED) as server:
        reservation = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        rejected = [
            FakeResponse(201, reservation),
            FakeResponse(403, b"<Error/>"),
            FakeResponse(204, b""),
        ]
        server.answers[:0] = [*rejected, *rejected]
        result = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url)
        assert (result.code, result.err.count("(403)")) == (0, 1)
        assert server.requests[-1][1] == "/api/photos"


def test_file_that_changed_during_upload_fails(shell: Shell) -> None:
    with run_fake_server(EXISTING) as server:
        reservation = {"id": "u", "method": "PUT", "url": f"{server.url}/put", "headers": {}}
        other = b"<Error><Code>BadDigest</Code></Error>"
        server.answers[:0] = [
            FakeResponse(201, reservation),
            FakeResponse(400, other),
            FakeResponse(204, b""),
        ]
        for name in ("a.jpg", "b.jpg"):
            os.truncate(shell.folder / name, 600_000)
        result = shell.run("upload", "--jobs", "1", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert server.requests[2][:2] == ("DELETE", "/api/uploads/u")
    assert result.code == 1
    assert "a.jpg: The file changed during the upload" in result.err
    assert result.out.split() == ["already", "there", "7", "b.jpg"]


@pytest.mark.parametrize(
    "body",
    [
        {"id": "../photos/1", "method": "PUT", "url": "http://s3/", "headers": {}},
        {"id": "u", "part_size": 0, "parts": 2},
        {"id": "u", "part_size": 5, "parts": "many"},
        {"id": "u"},
        ["u"],
    ],
)
def test_invalid_reservation_is_an_error(shell: Shell, body: object) -> None:
    with run_fake_server(FakeResponse(201, body)) as server:
        line = shell.run("upload", "a.jpg", SAFELIGHT_URL=server.url).line
        assert "not a Safelight server" in line
        assert len(server.requests) == 1


def test_error_that_concerns_all_files_ends_the_run(shell: Shell) -> None:
    with run_fake_server(RESPONSES["a wrong token"][0]) as server:
        result = shell.run("upload", "a.jpg", "b.jpg", SAFELIGHT_URL=server.url)
        assert len(server.requests) == 1
    assert result.code == 1
    first, last = result.err.splitlines()
    assert "a.jpg" in first
    assert last == "safelight: 2 of 2 files failed."


def test_next_page_is_requested_from_the_same_server(shell: Shell) -> None:
    link = '<http://thief.example/api/photos?after=x>; rel="next"'
    with run_fake_server(
        FakeResponse(200, [PHOTO], Link=link), FakeResponse(200, [PHOTO])
    ) as server:
        result = shell.run("ls", "--json", SAFELIGHT_URL=server.url + "/behind/a/path")
        assert json.loads(result.out) == [PHOTO, PHOTO]
        assert [path for _, path, _ in server.requests] == [
            "/behind/a/path/api/photos?order=added&limit=100",
            "/behind/a/path/api/photos?after=x",
        ]


def test_loopback_bypasses_proxies(shell: Shell) -> None:
    with run_fake_server(FakeResponse(200, [])) as server:
        proxy = "http://127.0.0.1:1"
        result = shell.run("ls", SAFELIGHT_URL=server.url, HTTP_PROXY=proxy, http_proxy=proxy)
    assert result.code == 0


@VERSIONS
def test_large_file_is_never_whole_in_memory(shell: Shell, *, older: bool) -> None:
    size = 700 * 1024 * 1024
    with (shell.folder / "large.jpg").open("wb") as file:
        file.write(jpeg())
        file.truncate(size)

    def limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (size // 2, size // 2))

    with run_fake_server(ADDED, older=older) as server:
        if not older:
            reservation = {"id": "1", "method": "PUT", "url": f"{server.url}/bucket", "headers": {}}
            server.answers[:0] = [FakeResponse(201, reservation), FakeResponse(200, b"")]
        result = subprocess.run(
            [SCRIPT, "upload", shell.folder / "large.jpg"],
            check=True,
            env=shell.env(SAFELIGHT_URL=server.url),
            capture_output=True,
            timeout=180,
            preexec_fn=limit_memory,
        )
        assert result.stdout.startswith(b"added")
        assert max(sent for _, _, sent in server.requests) >= size


def test_file_that_shrinks_during_upload_fails_alone(shell: Shell) -> None:
    with (shell.folder / "log.jpg").open("wb") as file:
        file.write(jpeg())
        file.truncate(2 * 1024**3)  # large enough to be truncated while it is read
    with run_fake_server(ADDED, older=True) as server:
        server.hold("POST /api/photos")
        process = shell.start("upload", "log.jpg", "a.jpg", SAFELIGHT_URL=server.url)
        assert server.held.wait(180)  # its size has been sent
        os.truncate(shell.folder / "log.jpg", 0)
        server.release()
        out, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert b"log.jpg: Can't read the file: it changed" in err
    assert out.split()[::2] == [b"added", b"a.jpg"]


@pytest.mark.parametrize("command", ["ls", "upload"])
def test_ctrl_c_ends_a_command_silently(shell: Shell, command: str) -> None:
    with run_fake_server(FakeResponse(200, [])) as server:
        server.hold("")
        files = ["a.jpg"] if command == "upload" else []
        process = shell.start(command, *files, SAFELIGHT_URL=server.url)
        assert server.held.wait(120)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize(
    "arguments",
    [("lss",), ("upload",), ("ls", "--limit", "0"), ("ls", "--order", "size"), ("url",), ("rm",)],
)
def test_usage_error_is_one_line_and_exit_code_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    result = shell.run(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "--help" in result.err


def test_full_disk_is_one_line(shell: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [SCRIPT, "completion", "bash"],
            check=False,
            env=shell.env(),
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert process.returncode == 1
    assert process.stderr == b"safelight: Can't write the output: No space left on device.\n"


def test_missing_token_is_reported(shell: Shell) -> None:
    without_token = Shell(shell.folder)
    assert "SAFELIGHT_DATA_DIR" in without_token.run("token", "show").line
    assert "SAFELIGHT_DATA_DIR" in without_token.run("token", "rotate").line
    assert not (shell.folder / "safelight-data").exists()
    line = shell.run("token", "rotate").line
    assert "SAFELIGHT_TOKEN" in line
    assert TOKEN not in line
