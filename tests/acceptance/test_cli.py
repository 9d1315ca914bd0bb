"""The commands that talk to a server, with a server."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acceptance.served import Served
from acceptance.shell import Shell
from pictures import exif, jpeg, png

DOCS = Path(__file__).parents[2] / "docs"
HOSTILE = "\x1b[31mred\x1b]0;title\x07\n\u202elast"


@pytest.fixture(scope="module")
def server(open_tmp_path: Path) -> Iterator[Served]:
    served = Served(open_tmp_path / "cli" / "safelight-data").start()
    yield served
    served.stop()


@pytest.fixture
def shell(server: Served, tmp_path: Path) -> Shell:
    """A shell on the server's machine; there are two photos in its folder."""
    (tmp_path / "beach.jpg").write_bytes(jpeg(320, 240))
    (tmp_path / "logo.png").write_bytes(png(64, 48))
    told = {"SAFELIGHT_URL": server.url, "SAFELIGHT_DATA_DIR": str(server.data_dir)}
    return Shell(tmp_path, told)


@pytest.fixture(autouse=True)
def _no_photos(server: Served) -> None:
    with server.client() as client:
        for photo in client.get("/api/photos?limit=500").json():
            client.delete(f"/api/photos/{photo['id']}")


def _photos(server: Served) -> list[dict[str, object]]:
    with server.client() as client:
        photos: list[dict[str, object]] = client.get("/api/photos?limit=500").json()
    return photos


def _add(server: Served, data: bytes | None = None, **said: str) -> str:
    with server.client() as client:
        answer = client.post(
            "/api/photos", files={"photo": ("a.png", data or png(50, 40))}, data=said
        )
    return str(answer.json()["id"])


def test_photos_are_uploaded_and_each_is_told(server: Served, shell: Shell) -> None:
    said = shell.run("upload", "--title", "By the sea", "beach.jpg", "logo.png")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in said.out.splitlines()] == ["added", "added"]
    photos = {each["filename"]: each for each in _photos(server)}
    assert photos.keys() == {"beach.jpg", "logo.png"}
    assert {each["title"] for each in photos.values()} == {"By the sea"}
    told = [line.split()[1:] for line in said.out.splitlines()]
    assert told == [[str(photos[name]["id"]), name] for name in ("beach.jpg", "logo.png")]
    again = shell.run("upload", "beach.jpg")
    assert (again.code, again.out.split()) == (
        0,
        ["already", "there", str(photos["beach.jpg"]["id"]), "beach.jpg"],
    )


def test_what_cannot_be_taken_is_told_and_the_others_are_uploaded(
    server: Served, shell: Shell
) -> None:
    (shell.folder / "notes.txt").write_text("no photo" * 100)
    (shell.folder / "folder").mkdir()
    (shell.folder / "large.jpg").write_bytes(jpeg() + bytes(50 * 1024 * 1024))
    subprocess.run(["mkfifo", shell.folder / "pipe"], check=True)
    files = ("notes.txt", "folder", "missing.jpg", "pipe", "large.jpg", "beach.jpg")
    said = shell.run("upload", *files)
    assert said.code == 1
    assert said.out.split()[::2] == ["added", "beach.jpg"]
    *told, last = said.err.splitlines()
    assert [line.split(": ")[1] for line in told] == list(files[:-1])
    for line, why in zip(
        told, ("JPEG, PNG", "folder", "No such file", "no file", "larger"), strict=True
    ):
        assert why in line
    assert last == "safelight: 5 of 6 files failed."
    assert len(_photos(server)) == 1


def test_outcomes_are_told_as_json(server: Served, shell: Shell) -> None:
    (shell.folder / "notes.txt").write_text("no photo" * 100)
    shell.run("upload", "logo.png")
    said = shell.run("upload", "--json", "beach.jpg", "logo.png", "notes.txt", "missing.jpg")
    assert said.code == 1
    told = json.loads(said.out)
    assert [each["outcome"] for each in told] == ["added", "existing", "failed", "failed"]
    assert [each["photo"]["filename"] for each in told[:2]] == ["beach.jpg", "logo.png"]
    assert [each["error"]["code"] for each in told[2:]] == ["unsupported_type", "unreadable"]


def test_a_name_that_is_not_utf_8_is_no_obstacle(server: Served, shell: Shell) -> None:
    (shell.folder / "b\udce4r.jpg").write_bytes(jpeg(300, 200))
    said = shell.run("upload", "--title", "B\udce4r", "b\udce4r.jpg")
    assert (said.code, said.err) == (0, "")
    assert [each["filename"] for each in _photos(server)] == ["b\ufffdr.jpg"]


def test_a_person_sees_a_bar_and_a_pipe_does_not(shell: Shell) -> None:
    seen = shell.at_terminal("upload", "beach.jpg", piped=True)
    assert seen.code == 0
    assert "beach.jpg" in seen.err
    assert "\x1b[" in seen.err
    assert re.fullmatch(r"added +\d+  beach.jpg\n", seen.out)
    both = shell.at_terminal("upload", "logo.png")
    assert re.search(r"added +\d+  logo.png\r\n", both.out)


def test_a_list_is_the_apis_array_of_all_pages(server: Served, shell: Shell) -> None:
    with server.client() as client:
        for width in range(20, 124):
            client.post("/api/photos", files={"photo": ("a.png", png(width, 8))})
    expected = _photos(server)
    assert len(expected) == 104
    assert json.loads(shell.run("ls", "--json").out) == expected
    assert json.loads(shell.run("ls", "--json", "--limit", "102").out) == expected[:102]
    assert json.loads(shell.run("ls", "--json", "--limit", "3").out) == expected[:3]
    lines = shell.run("ls").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(each["id"]) for each in expected]
    process = shell.start("ls", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as `head` does, but before the first line
    assert process.stderr.read() == b""
    assert process.wait(30) == 141
    process.stderr.close()


def test_an_empty_list_is_one(shell: Shell) -> None:
    assert json.loads(shell.run("ls", "--json").out) == []
    assert shell.run("ls").out == ""


def test_the_order_is_what_was_asked_for(server: Served, shell: Shell) -> None:
    _add(server, jpeg(100, 90, exif=exif(taken_at="2031:01:01 00:00:00")))
    _add(server, jpeg(100, 91, exif=exif(taken_at="2001:01:01 00:00:00")))
    taken = json.loads(shell.run("ls", "--json", "--order", "taken").out)
    added = json.loads(shell.run("ls", "--json").out)
    assert [each["height"] for each in taken] == [90, 91]
    assert [each["height"] for each in added] == [91, 90]


def test_a_title_cannot_give_orders_to_the_terminal(server: Served, shell: Shell) -> None:
    _add(server, title=HOSTILE)
    shown = shell.at_terminal("ls").out
    assert "\ufffd[31mred\ufffd]0;title\ufffd\ufffd\ufffdlast" in shown
    assert "\x1b[31m" not in shown
    assert "\x1b]" not in shown
    piped = shell.run("ls")
    assert piped.out.count("\n") == 1
    assert piped.out.isprintable() is False  # for its tabs and its end
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f\u202e]", piped.out)) == {"\t", "\n"}
    assert json.loads(shell.run("ls", "--json").out)[0]["title"] == HOSTILE
    assert shell.run("ls", "--json").out.isascii()


def test_no_colour_is_shown_to_those_who_want_none(server: Served, shell: Shell) -> None:
    _add(server)
    for command in (("ls",), ("upload", "beach.jpg", "missing.jpg")):
        assert not re.search(r"\x1b\[[\d;]*3\d", shell.at_terminal(*command, NO_COLOR="1").out)


def test_a_terminal_without_the_characters_gets_others(server: Served, shell: Shell) -> None:
    _add(server, title="海辺で")
    said = shell.run("ls", PYTHONIOENCODING="ascii")
    assert (said.code, said.out[-4:]) == (0, "???\n")


def test_a_link_is_alone_on_its_line(server: Served, shell: Shell) -> None:
    id_ = _add(server)
    said = shell.run("url", id_)
    assert (said.code, said.err) == (0, "")
    (link,) = said.out.splitlines()
    assert httpx.get(link).content == png(50, 40)
    original = shell.run("url", id_, "--rendition", "original")
    assert httpx.get(original.out.strip()).content == png(50, 40)
    assert "original" in shell.run("url", id_, "--rendition", "gigantic").line


def test_a_link_is_drawn_for_a_phone(server: Served, shell: Shell) -> None:
    id_ = _add(server)
    said = shell.run("url", id_, "--qr")
    assert said.out == shell.run("url", id_).out
    assert said.err.count("\n") > 30
    assert {len(line) for line in said.err.splitlines()} <= set(range(60, 81))
    seen = shell.at_terminal("url", id_, "--qr", piped=True)
    assert "\x1b[30;47m" in seen.err
    narrow = shell.at_terminal("url", id_, "--qr", piped=True, COLUMNS="40")
    assert (narrow.code, narrow.out) == (1, said.out)
    assert "columns" in narrow.err


@pytest.mark.parametrize("id_", ["99999999", "abc", "..", "1/original", "\uff19", "-0", ""])
def test_a_photo_that_is_not_there_is_told(shell: Shell, id_: str) -> None:
    assert "no photo" in shell.run("url", "--", id_).line
    assert "no photo" in shell.run("rm", "--yes", "--", id_).line


def test_photos_are_deleted(server: Served, shell: Shell) -> None:
    gone, kept, other = (_add(server, png(30, height)) for height in (10, 11, 12))
    said = shell.run("rm", "--yes", gone, "99999999", other)
    assert (said.code, said.out.split()) == (1, ["deleted", gone, "deleted", other])
    assert "99999999" in said.err
    assert [str(each["id"]) for each in _photos(server)] == [kept]
    assert shell.run("rm", "--yes", kept).code == 0


def test_nothing_is_deleted_before_somebody_agrees(server: Served, shell: Shell) -> None:
    id_ = _add(server)
    assert "--yes" in shell.run("rm", id_).line
    for answer in ("n\n", "\n", "\x04", "nay\n"):
        asked = shell.at_terminal("rm", id_, typed=answer)
        assert asked.code == 1
        assert f"photo {id_}" in asked.out
    assert len(_photos(server)) == 1
    assert shell.at_terminal("rm", id_, typed="y\n").code == 0
    assert _photos(server) == []


def test_sessions_are_listed_and_revoked(server: Served, shell: Shell) -> None:
    code = server.screen.partition("sign-in?code=")[2].split()[0]
    agent = {b"User-Agent": b"Mosaic \x9b31m"}
    with httpx.Client(base_url=server.url, headers=agent) as browser:
        assert browser.get("/sign-in", params={"code": code}).status_code == 303
        assert browser.get("/api/photos").status_code == 200
        id_, *_, name = shell.run("token", "sessions").out.strip().split("\t")
        assert name == "Mosaic \ufffd31m"
        assert [
            each["id"] for each in json.loads(shell.run("token", "sessions", "--json").out)
        ] == [int(id_)]
        assert shell.run("token", "sessions", "--revoke", id_).out == f"ended  {id_}\n"
        assert browser.get("/api/photos").status_code == 401
    assert shell.run("token", "sessions", "--revoke", id_).line == (
        f"safelight: There is no session {id_}.\n"
    )


def test_the_token_is_shown_and_rotated(server: Served, shell: Shell) -> None:
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


def test_the_server_is_reached_from_another_machine(server: Served, tmp_path: Path) -> None:
    away = Shell(tmp_path, {"SAFELIGHT_URL": server.url + "/", "SAFELIGHT_TOKEN": server.token})
    assert away.run("ls", SAFELIGHT_LINKS__LIFETIME="none of a client's business").code == 0


def test_the_documented_commands_run_as_written(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "documented"
    served = Served(folder / "safelight-data").start()
    try:
        (folder / "beach.jpg").write_bytes(jpeg(320, 240))
        port = str(httpx.URL(served.url).port)
        shell = Shell(folder, {"SAFELIGHT_PORT": port})
        written = (DOCS / "cli.md").read_text()
        blocks = re.findall(r"^```sh\n(.*?)^```$", written, re.DOTALL | re.MULTILINE)
        assert len(blocks) > 6
        for block in blocks:
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                check=False,
                cwd=folder,
                env=shell.env(),
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ran.returncode == 0, (block, ran.stderr)
        assert json.loads((folder / "photos.json").read_text())[0]["filename"] == "beach.jpg"
    finally:
        served.stop()


def test_bash_completes_commands_and_files(shell: Shell) -> None:
    script = shell.run("completion", "bash").out
    ask = f"""{script}
        COMP_WORDS=(safelight u); COMP_CWORD=1; _safelight; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=(safelight ls --o); COMP_CWORD=2; _safelight; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=(safelight upload be); COMP_CWORD=2; _safelight; echo "${{COMPREPLY[@]}}"
    """
    told = subprocess.run(
        ["bash", "-c", ask], check=True, cwd=shell.folder, capture_output=True, text=True
    ).stdout.splitlines()
    assert told == ["upload url", "--order", "beach.jpg"]
    for other in ("zsh", "fish"):
        assert "upload" in shell.run("completion", other).out


def test_new_keys_of_the_store_end_every_link(open_tmp_path: Path, tmp_path: Path) -> None:
    served = Served(open_tmp_path / "rotated").start()
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
        served.stop()


def test_keys_of_a_store_that_is_not_ours_are_rotated_elsewhere(shell: Shell) -> None:
    said = shell.run("bucket", "rotate", SAFELIGHT_S3__ENDPOINT_URL="http://localhost:9000")
    assert "docs/credentials.md" in said.line
    assert "no embedded" in shell.run("bucket", "rotate", SAFELIGHT_DATA_DIR="nowhere").line


def test_jobs_are_told_and_repeated(server: Served, shell: Shell) -> None:
    id_ = _add(server)
    with server.client() as client:
        assert client.delete(f"/api/photos/{id_}").status_code == 204
    said = shell.run("jobs")
    assert said.code == 0
    told = [line.split("\t") for line in said.out.splitlines()]
    assert "purge" in [cells[1] for cells in told]
    assert all(len(cells) == 6 for cells in told)
    assert re.search(r"\d+ waiting, 0 late, \d+ running, 0 failed\.", said.err)
    assert {"waiting", "late", "running", "failed", "oldest"} == set(
        json.loads(shell.run("jobs", "--json").out)
    )
    none = shell.run("jobs", "retry")
    assert (none.code, none.out) == (0, "")
    missing = shell.run("jobs", "retry", "999999", "abc")
    assert missing.code == 1
    assert missing.err.count("There is no job") == 2
