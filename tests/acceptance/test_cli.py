"""The client commands, with a real server."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.pictures import exif, jpeg, png
from support.serve_process import ServeProcess
from support.shell import Shell

DOCS = Path(__file__).parents[2] / "docs"
HOSTILE = "\x1b[31mred\x1b]0;title\x07\n\u202elast"


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    served = ServeProcess(open_tmp_path / "cli" / "safelight-data").start()
    yield served
    served.kill()


@pytest.fixture
def shell(server: ServeProcess, tmp_path: Path) -> Shell:
    """A shell on the server's machine, with two photos in its folder."""
    (tmp_path / "beach.jpg").write_bytes(jpeg(320, 240))
    (tmp_path / "logo.png").write_bytes(png(64, 48))
    variables = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(tmp_path, variables)


@pytest.fixture(autouse=True)
def _delete_all_photos(server: ServeProcess) -> None:
    with server.client() as client:
        for photo in client.get("/api/photos?limit=500").json():
            client.delete(f"/api/photos/{photo['id']}?permanent=true")


def _photos(server: ServeProcess) -> list[dict[str, object]]:
    with server.client() as client:
        photos: list[dict[str, object]] = client.get("/api/photos?limit=500").json()
    return photos


def _add(server: ServeProcess, data: bytes | None = None, **fields: str) -> str:
    with server.client() as client:
        response = client.post(
            "/api/photos", files={"photo": ("a.png", data or png(50, 40))}, data=fields
        )
    return str(response.json()["id"])


def test_upload_prints_a_line_per_photo(server: ServeProcess, shell: Shell) -> None:
    result = shell.run("upload", "--title", "By the sea", "beach.jpg", "logo.png")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == ["added", "added"]
    photos = {photo["filename"]: photo for photo in _photos(server)}
    assert photos.keys() == {"beach.jpg", "logo.png"}
    assert {photo["title"] for photo in photos.values()} == {"By the sea"}
    printed = [line.split()[1:] for line in result.out.splitlines()]
    assert printed == [[str(photos[name]["id"]), name] for name in ("beach.jpg", "logo.png")]
    again = shell.run("upload", "beach.jpg")
    assert (again.code, again.out.split()) == (
        0,
        ["already", "there", str(photos["beach.jpg"]["id"]), "beach.jpg"],
    )


def test_upload_continues_after_unusable_files(server: ServeProcess, shell: Shell) -> None:
    (shell.folder / "notes.txt").write_text("no photo" * 100)
    (shell.folder / "folder").mkdir()
    (shell.folder / "large.jpg").write_bytes(jpeg())
    os.truncate(shell.folder / "large.jpg", 200 * 1024 * 1024 + 1)
    subprocess.run(["mkfifo", shell.folder / "pipe"], check=True)
    files = ("notes.txt", "folder", "missing.jpg", "pipe", "large.jpg", "beach.jpg")
    result = shell.run("upload", *files)
    assert result.code == 1
    assert result.out.split()[::2] == ["added", "beach.jpg"]
    *errors, last = result.err.splitlines()
    assert [line.split(": ")[1] for line in errors] == list(files[:-1])
    reasons = ("JPEG, PNG", "a folder", "No such file", "not a regular file", "limit")
    for line, reason in zip(errors, reasons, strict=True):
        assert reason in line
    assert last == "safelight: 5 of 6 files failed."
    assert len(_photos(server)) == 1


def test_upload_prints_json(server: ServeProcess, shell: Shell) -> None:
    (shell.folder / "notes.txt").write_text("no photo" * 100)
    shell.run("upload", "logo.png")
    result = shell.run("upload", "--json", "beach.jpg", "logo.png", "notes.txt", "missing.jpg")
    assert result.code == 1
    results = json.loads(result.out)
    assert [entry["outcome"] for entry in results] == ["added", "existing", "failed", "failed"]
    assert [entry["photo"]["filename"] for entry in results[:2]] == ["beach.jpg", "logo.png"]
    assert [entry["error"]["code"] for entry in results[2:]] == ["unsupported_type", "unreadable"]


def test_file_name_that_is_not_utf8_can_be_uploaded(server: ServeProcess, shell: Shell) -> None:
    (shell.folder / "b\udce4r.jpg").write_bytes(jpeg(300, 200))
    result = shell.run("upload", "--title", "B\udce4r", "b\udce4r.jpg")
    assert (result.code, result.err) == (0, "")
    assert [photo["filename"] for photo in _photos(server)] == ["b\ufffdr.jpg"]


def test_progress_bar_is_shown_only_on_a_terminal(shell: Shell) -> None:
    result = shell.at_terminal("upload", "beach.jpg", piped=True)
    assert result.code == 0
    assert "beach.jpg" in result.err
    assert "\x1b[" in result.err
    assert re.fullmatch(r"added +\d+  beach.jpg\n", result.out)
    both = shell.at_terminal("upload", "logo.png")
    assert re.search(r"added +\d+  logo.png\r\n", both.out)


def test_ls_prints_all_pages_of_the_api(server: ServeProcess, shell: Shell) -> None:
    with server.client() as client:
        for width in range(20, 124):
            client.post("/api/photos", files={"photo": ("a.png", png(width, 8))})
    expected = _photos(server)
    assert len(expected) == 104
    assert json.loads(shell.run("ls", "--json").out) == expected
    assert json.loads(shell.run("ls", "--json", "--limit", "102").out) == expected[:102]
    assert json.loads(shell.run("ls", "--json", "--limit", "3").out) == expected[:3]
    lines = shell.run("ls").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(photo["id"]) for photo in expected]
    process = shell.start("ls", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as `head` does, but before the first line
    assert process.stderr.read() == b""
    assert process.wait(120) == 141
    process.stderr.close()


def test_ls_prints_an_empty_list(shell: Shell) -> None:
    assert json.loads(shell.run("ls", "--json").out) == []
    assert shell.run("ls").out == ""


def test_ls_sorts_by_the_given_order(server: ServeProcess, shell: Shell) -> None:
    _add(server, jpeg(100, 90, exif=exif(taken_at="2011:01:01 00:00:00")))
    _add(server, jpeg(100, 91, exif=exif(taken_at="2001:01:01 00:00:00")))
    taken = json.loads(shell.run("ls", "--json", "--order", "taken").out)
    added = json.loads(shell.run("ls", "--json").out)
    assert [photo["height"] for photo in taken] == [90, 91]
    assert [photo["height"] for photo in added] == [91, 90]


def test_ls_at_a_terminal_shows_the_time_that_it_sorts_by(
    server: ServeProcess, shell: Shell
) -> None:
    _add(server, jpeg(100, 92, exif=exif(taken_at="2011:02:03 04:05:06")))
    assert "2011-02-03 04:05" in shell.at_terminal("ls", "--order", "taken").out
    assert "2011-02-03 04:05" not in shell.at_terminal("ls").out


def test_edit_sets_shifts_and_restores_dates(server: ServeProcess, shell: Shell) -> None:
    ids = [
        _add(server, jpeg(100, height, exif=exif(taken_at="2011:02:03 04:05:06")))
        for height in (93, 94)
    ]

    def dates() -> list[object]:
        return [photo["taken_at"] for photo in _photos(server)]

    shifted = shell.run("edit", *ids, "--shift=-1d2h")
    assert (shifted.code, shifted.err) == (0, "")
    assert shifted.out.splitlines() == [f"changed  {id_}  2011-02-02 02:05:06" for id_ in ids]
    assert dates() == ["2011-02-02T02:05:06"] * 2
    assert shell.run("edit", *ids, "--shift", "4h").code == 0
    assert shell.run("edit", *ids, "--shift", "-2h").code == 0
    dated = shell.run("edit", ids[1], "--taken-at", "2012-03-04 05:06+02:00")
    assert (dated.code, dated.out) == (0, f"changed  {ids[1]}  2012-03-04 05:06:00+02:00\n")
    assert dates() == ["2012-03-04T05:06:00+02:00", "2011-02-02T04:05:06"]
    mixed = shell.run("edit", "999999", *ids, "--original-date")
    assert (mixed.code, mixed.err) == (1, "safelight: There is no photo 999999.\n")
    assert dates() == ["2011-02-03T04:05:06"] * 2
    for options, code, message in (
        ((), 2, "Give one of"),
        (("--shift", "1h", "--original-date"), 2, "Give one of"),
        (("--shift", "1 hour"), 2, "is not valid"),
        (("--shift", "-x"), 2, "is not valid"),
        (("--shift", ""), 2, "is not valid"),
        (("--taken-at", "yesterday"), 1, "Write it like"),
        (("--taken-at", "2999-01-01"), 1, "in the future"),
        (("--shift=-90000d",), 1, f"photo {ids[0]} is before the year 1800"),
    ):
        refused = shell.run("edit", *ids, *options)
        assert refused.code == code
        assert message in refused.err
        assert (refused.out, refused.err.count("\n")) == ("", 1)
    unknown = shell.run("edit", "x", "--shift", "1h")
    assert (unknown.code, "not a photo's number" in unknown.err) == (2, True)
    assert dates() == ["2011-02-03T04:05:06"] * 2


def test_upload_sends_when_the_file_was_modified(server: ServeProcess, shell: Shell) -> None:
    os.utime(shell.folder / "beach.jpg", (1_500_000_000, 1_500_000_000))
    os.utime(shell.folder / "logo.png", (0, 0))
    result = shell.run("upload", "beach.jpg", "logo.png", TZ="Asia/Kathmandu")
    assert result.code == 0
    photos = {photo["filename"]: photo for photo in _photos(server)}
    beach, logo = photos["beach.jpg"], photos["logo.png"]
    assert (beach["taken_at"], beach["taken_from"]) == ("2017-07-14T08:25:00+05:45", "file")
    assert (logo["taken_at"], logo["taken_from"]) == (None, None)


def test_titles_cannot_control_the_terminal(server: ServeProcess, shell: Shell) -> None:
    _add(server, title=HOSTILE)
    shown = shell.at_terminal("ls").out
    assert "\ufffd[31mred\ufffd]0;title\ufffd\ufffd\ufffdlast" in shown
    assert "\x1b[31m" not in shown
    assert "\x1b]" not in shown
    piped = shell.run("ls")
    assert piped.out.count("\n") == 1
    assert piped.out.isprintable() is False  # because of the tabs and the newline
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u202e]", piped.out)) == {"\t", "\n"}
    assert json.loads(shell.run("ls", "--json").out)[0]["title"] == HOSTILE
    assert shell.run("ls", "--json").out.isascii()


def test_no_color_is_honored(server: ServeProcess, shell: Shell) -> None:
    _add(server)
    for command in (("ls",), ("upload", "beach.jpg", "missing.jpg")):
        assert not re.search(r"\x1b\[[\d;]*3\d", shell.at_terminal(*command, NO_COLOR="1").out)


def test_characters_missing_in_the_encoding_are_replaced(
    server: ServeProcess, shell: Shell
) -> None:
    _add(server, title="海辺で")
    result = shell.run("ls", PYTHONIOENCODING="ascii")
    assert (result.code, result.out[-4:]) == (0, "???\n")


def test_url_prints_only_the_link(server: ServeProcess, shell: Shell) -> None:
    id_ = _add(server)
    result = shell.run("url", id_)
    assert (result.code, result.err) == (0, "")
    (link,) = result.out.splitlines()
    assert httpx.get(link).content == png(50, 40)
    original = shell.run("url", id_, "--rendition", "original")
    assert httpx.get(original.out.strip()).content == png(50, 40)
    assert "original" in shell.run("url", id_, "--rendition", "gigantic").line


def test_url_warns_of_an_original_with_a_location_or_not_for_all_browsers(
    server: ServeProcess, shell: Shell
) -> None:
    fields = exif(orientation=6)
    fields.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 0.0), 3: "E", 4: (2.0, 17.0, 0.0)})
    id_ = _add(server, png(60, 40, exif=fields))
    assert shell.run("url", id_).err == ""
    result = shell.run("url", id_, "--rendition", "original")
    assert httpx.get(result.out.strip()).content == png(60, 40, exif=fields)
    assert "contains the place" in result.err
    assert "Some browsers" in result.err


def test_url_draws_a_qr_code(server: ServeProcess, shell: Shell) -> None:
    id_ = _add(server)
    result = shell.run("url", id_, "--qr")
    assert result.out == shell.run("url", id_).out
    assert result.err.count("\n") > 30
    assert {len(line) for line in result.err.splitlines()} <= set(range(60, 81))
    drawn = shell.at_terminal("url", id_, "--qr", piped=True)
    assert "\x1b[37;40m" in drawn.err
    narrow = shell.at_terminal("url", id_, "--qr", piped=True, COLUMNS="40")
    assert (narrow.code, narrow.out) == (1, result.out)
    assert "columns" in narrow.err


@pytest.mark.parametrize("id_", ["99999999", "abc", "..", "1/original", "\uff19", "-0", ""])
def test_unknown_photo_is_reported(shell: Shell, id_: str) -> None:
    assert "no photo" in shell.run("url", "--", id_).line
    assert "no photo" in shell.run("rm", "--yes", "--", id_).line


def test_rm_deletes_photos(server: ServeProcess, shell: Shell) -> None:
    deleted, kept, other = (_add(server, png(30, height)) for height in (10, 11, 12))
    result = shell.run("rm", "--yes", deleted, "99999999", other)
    assert (result.code, result.out.split()) == (1, ["trashed", deleted, "trashed", other])
    assert "99999999" in result.err
    assert [str(photo["id"]) for photo in _photos(server)] == [kept]
    assert shell.run("rm", "--yes", kept).code == 0


def test_rm_asks_for_confirmation(server: ServeProcess, shell: Shell) -> None:
    id_ = _add(server)
    assert "--yes" in shell.run("rm", id_).line
    for answer in ("n\n", "\n", "\x04", "nay\n"):
        result = shell.at_terminal("rm", id_, typed=answer)
        assert result.code == 1
        assert f"photo {id_}" in result.out
    assert len(_photos(server)) == 1
    assert shell.at_terminal("rm", id_, typed="y\n").code == 0
    assert _photos(server) == []


def test_sessions_are_listed_and_revoked(server: ServeProcess, shell: Shell) -> None:
    code = server.screen.partition("sign-in?code=")[2].split()[0]
    agent = {b"User-Agent": b"Mosaic \x9b31m"}
    with httpx.Client(base_url=server.url, headers=agent) as browser:
        own = {"Origin": server.url}
        assert browser.post("/sign-in", data={"code": code}, headers=own).status_code == 303
        assert browser.get("/api/photos").status_code == 200
        id_, *_, name = shell.run("token", "sessions").out.strip().split("\t")
        assert name == "Mosaic \ufffd31m"
        assert [
            session["id"] for session in json.loads(shell.run("token", "sessions", "--json").out)
        ] == [int(id_)]
        assert shell.run("token", "sessions", "--revoke", id_).out == f"ended  {id_}\n"
        assert browser.get("/api/photos").status_code == 401
    assert shell.run("token", "sessions", "--revoke", id_).line == (
        f"safelight: There is no session {id_}.\n"
    )


def test_token_is_shown_and_rotated(server: ServeProcess, shell: Shell) -> None:
    before = shell.run("token", "show").out.strip()
    assert before == server.token
    rotated = shell.run("token", "rotate")
    assert (rotated.code, rotated.err) == (0, "")
    after = shell.run("token", "show").out.strip()
    assert after == server.token != before
    assert before not in rotated.out
    assert after not in rotated.out
    assert shell.run("ls", SAFELIGHT_TOKEN=before).code == 1
    assert shell.run("ls").code == 0


def test_client_needs_no_server_settings(server: ServeProcess, tmp_path: Path) -> None:
    away = Shell(tmp_path, {"SAFELIGHT_URL": server.url + "/", "SAFELIGHT_TOKEN": server.token})
    assert away.run("ls", SAFELIGHT_LINKS__LIFETIME="ignored").code == 0


@pytest.mark.timeout(900)
def test_documented_commands_run(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "documented"
    served = ServeProcess(folder / "safelight-data").start()
    try:
        (folder / "beach.jpg").write_bytes(jpeg(320, 240))
        port = str(httpx.URL(served.url).port)
        shell = Shell(folder, {"SAFELIGHT_PORT": port})
        text = (DOCS / "cli.md").read_text()
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        assert len(blocks) > 6
        for block in blocks:
            if block.startswith("safelight album"):  # its photos have the ids 1 to 5
                with served.client() as client:
                    for number in range(4):
                        files = {"photo": ("more.jpg", jpeg(400 + number))}
                        assert client.post("/api/photos", files=files).status_code == 201
            process = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                check=False,
                cwd=folder,
                env=shell.env(),
                capture_output=True,
                text=True,
                timeout=180,
            )
            assert process.returncode == 0, (block, process.stderr)
        assert json.loads((folder / "photos.json").read_text())[0]["filename"] == "beach.jpg"
    finally:
        served.kill()


def test_bash_completes_commands_and_files(shell: Shell) -> None:
    script = shell.run("completion", "bash").out
    code = f"""{script}
        COMP_WORDS=(safelight u); COMP_CWORD=1; _safelight; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=(safelight ls --o); COMP_CWORD=2; _safelight; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=(safelight upload be); COMP_CWORD=2; _safelight; echo "${{COMPREPLY[@]}}"
    """
    completed = subprocess.run(
        ["bash", "-c", code], check=True, cwd=shell.folder, capture_output=True, text=True
    ).stdout.splitlines()
    assert completed == ["upload url", "--order", "beach.jpg"]
    for other in ("zsh", "fish"):
        assert "upload" in shell.run("completion", other).out


def test_bucket_rotate_ends_all_links(open_tmp_path: Path, tmp_path: Path) -> None:
    served = ServeProcess(open_tmp_path / "rotated").start()
    shell = Shell(tmp_path, {"SAFELIGHT_DATA_DIR": str(served.data_dir)})
    try:
        with served.client() as client:
            client.post("/api/photos", files={"photo": ("a.jpg", jpeg(280))})
            old = client.get("/api/photos").json()[0]["photo_url"]
        assert httpx.get(old).status_code == 200
        assert "stop it first" in shell.run("bucket", "rotate").line
        served.stop()
        assert shell.run("bucket", "rotate").code == 0
        served.start()
        with served.client() as client:
            new = client.get("/api/photos").json()[0]["photo_url"]
        assert httpx.get(old).status_code == 403
        assert httpx.get(new).status_code == 200
    finally:
        served.kill()


def test_bucket_rotate_refuses_other_stores(shell: Shell) -> None:
    result = shell.run("bucket", "rotate", SAFELIGHT_S3__ENDPOINT_URL="http://localhost:9000")
    assert "docs/credentials.md" in result.line
    assert "no embedded" in shell.run("bucket", "rotate", SAFELIGHT_DATA_DIR="nowhere").line


def test_jobs_are_listed_and_retried(server: ServeProcess, shell: Shell) -> None:
    id_ = _add(server)
    with server.client() as client:
        assert client.delete(f"/api/photos/{id_}?permanent=true").status_code == 204
    result = shell.run("jobs")
    assert result.code == 0
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert "purge" in [cells[1] for cells in rows]
    assert all(len(cells) == 6 for cells in rows)
    assert re.search(r"\d+ waiting, 0 late, \d+ running, 0 failed\.", result.err)
    assert {"waiting", "late", "running", "failed", "oldest"} == set(
        json.loads(shell.run("jobs", "--json").out)
    )
    none = shell.run("jobs", "retry")
    assert (none.code, none.out) == (0, "")
    missing = shell.run("jobs", "retry", "999999", "abc")
    assert missing.code == 1
    assert missing.err.count("There is no failed job") == 2


def test_doctor_names_a_wrong_setting(shell: Shell) -> None:
    result = shell.run("doctor", SAFELIGHT_PORT="many")
    assert result.code == 1
    first, last = result.out.splitlines()
    assert first.startswith("failure  settings: SAFELIGHT_PORT")
    assert last.startswith("1 failure.")
