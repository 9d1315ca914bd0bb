"""``safelight trash``, ``rm --permanent`` and ``revoke-links``, with a real store and database."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from safelight.engines import EmbeddedEngines
from support.app_server import TOKEN, AppServer, Site, run_app_server, settings_for
from support.engine_driver import wait_until
from support.pictures import jpeg
from support.shell import Shell

UNKNOWN = "999999999"
BY_ID = (("trash", "restore"), ("rm", "--yes", "--permanent"), ("revoke-links",))


@pytest.fixture(scope="module")
def app_server(engines: EmbeddedEngines, open_tmp_path: Path) -> Iterator[AppServer]:
    folder = open_tmp_path / "cli-trash"
    folder.mkdir()
    with run_app_server(settings_for(engines, folder)) as server:
        yield server


@pytest.fixture
def site(app_server: AppServer) -> Site:
    """A site with an owner who has no photos yet."""
    return app_server.site()


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    return _shell(site, tmp_path)


def _shell(site: Site, folder: Path) -> Shell:
    return Shell(folder, {"SAFELIGHT_URL": site.url, "SAFELIGHT_TOKEN": TOKEN})


def _add(site: Site, width: int = 40) -> dict[str, Any]:
    with site.client() as client:
        response = client.post("/api/photos", files={"photo": ("a.jpg", jpeg(width, 30))})
        response.raise_for_status()
        added: dict[str, Any] = response.json()
        return added


def _ids(site: Site, *, trash: bool = False) -> list[str]:
    with site.client() as client:
        photos = client.get("/api/photos", params={"trash": trash} if trash else None).json()
    return [str(photo["id"]) for photo in photos]


def _has_died(url: str) -> bool:
    return httpx.get(url, timeout=60).status_code in {403, 404}


def test_deleted_photos_are_listed_and_restored(site: Site, shell: Shell) -> None:
    photos = [_add(site, width) for width in (40, 41, 42)]
    first, second, third = (str(photo["id"]) for photo in photos)
    assert shell.run("trash").out == ""
    assert shell.run("rm", "--yes", first, second).code == 0
    listed = shell.run("trash")
    assert (listed.code, listed.err) == (0, "")
    lines = [line.split("\t") for line in listed.out.splitlines()]
    assert [(line[0], line[3], line[5]) for line in lines] == [
        (second, "image/jpeg", "a.jpg"),
        (first, "image/jpeg", "a.jpg"),
    ]
    assert all(trashed < deletes for _, trashed, deletes, *_ in lines)
    assert "a.jpg" in shell.at_terminal("trash").out
    found = json.loads(shell.run("trash", "--json", "--limit", "1").out)
    assert [str(photo["id"]) for photo in found] == [second]
    assert wait_until(lambda: _has_died(photos[0]["photo_url"]))

    result = shell.run("trash", "restore", first, UNKNOWN, third)
    assert (result.code, result.out) == (1, f"restored  {first}\n")
    assert result.err.splitlines() == [
        f"safelight: There is no trashed photo {UNKNOWN}.",
        f"safelight: There is no trashed photo {third}.",
    ]
    assert (_ids(site), _ids(site, trash=True)) == ([third, first], [second])
    url = shell.run("url", first).out.strip()
    assert httpx.get(url, timeout=60).status_code == 200
    assert _has_died(photos[0]["photo_url"])
    assert shell.run("trash", "restore", second).code == 0


def test_trash_is_emptied_when_confirmed(site: Site, shell: Shell) -> None:
    kept, *deleted = (str(_add(site, width)["id"]) for width in (40, 41, 42))
    assert shell.run("rm", "--yes", *deleted).code == 0
    assert "--yes" in shell.run("trash", "empty").line
    refused = shell.at_terminal("trash", "empty", typed="n\n")
    assert refused.code == 1
    assert "Nothing was deleted." in refused.out
    assert _ids(site, trash=True) == [deleted[1], deleted[0]]
    assert shell.run("trash", "empty", "--yes").out == "deleted  2\n"
    assert (_ids(site), _ids(site, trash=True)) == ([kept], [])
    assert shell.run("trash", "empty", "--yes").out == "deleted  0\n"
    assert "no trashed photo" in shell.run("trash", "restore", deleted[0]).line


def test_rm_permanent_needs_no_trash_and_deletes_from_it(site: Site, shell: Shell) -> None:
    photos = [_add(site, width) for width in (40, 41, 42)]
    listed, trashed, kept = (str(photo["id"]) for photo in photos)
    assert shell.run("rm", "--yes", trashed).code == 0
    assert "no photo" in shell.run("rm", "--yes", trashed).line
    asked = shell.at_terminal("rm", "--permanent", listed, typed="n\n")
    assert (asked.code, "for good" in asked.out) == (1, True)
    result = shell.run("rm", "--yes", "--permanent", listed, UNKNOWN, trashed)
    assert (result.code, result.out) == (1, f"deleted  {listed}\ndeleted  {trashed}\n")
    assert result.err == f"safelight: There is no photo {UNKNOWN}.\n"
    assert (_ids(site), _ids(site, trash=True)) == ([kept], [])
    assert wait_until(lambda: _has_died(photos[0]["original_url"]))


def test_revoked_links_die_and_the_photo_gets_new_ones(site: Site, shell: Shell) -> None:
    photo, other = _add(site, 40), _add(site, 41)
    id_ = str(photo["id"])
    result = shell.run("revoke-links", id_, UNKNOWN)
    assert (result.code, result.out) == (1, f"revoked  {id_}\n")
    assert result.err == f"safelight: There is no photo {UNKNOWN}.\n"
    assert wait_until(lambda: _has_died(photo["photo_url"]) and _has_died(photo["original_url"]))
    for url in (shell.run("url", id_).out.strip(), other["photo_url"]):
        assert httpx.get(url, timeout=60).status_code == 200
    assert shell.run("rm", "--yes", id_).code == 0
    assert "no photo" in shell.run("revoke-links", id_).line


def test_malformed_id_is_a_usage_error(site: Site, shell: Shell) -> None:
    id_ = str(_add(site)["id"])
    for malformed in ("x", "-1", "9" * 30):
        for command in (("trash", "restore"), ("revoke-links",)):
            result = shell.run(*command, "--", id_, malformed)
            assert (result.code, result.out) == (2, "")
            assert "not a photo's number" in result.err
    result = shell.run("rm", "--yes", "--permanent", "--", "x", id_)
    assert (result.code, result.out) == (1, f"deleted  {id_}\n")
    assert result.err == "safelight: There is no photo x.\n"


def test_photos_of_others_are_not_found(
    app_server: AppServer, site: Site, shell: Shell, tmp_path: Path
) -> None:
    listed, trashed = _add(site, 40), _add(site, 41)
    ids = [str(photo["id"]) for photo in (listed, trashed)]
    assert shell.run("rm", "--yes", ids[1]).code == 0
    other = _shell(app_server.site(), tmp_path)
    assert other.run("trash").out == ""
    assert other.run("trash", "empty", "--yes").out == "deleted  0\n"
    for command in BY_ID:
        result = other.run(*command, *ids)
        assert (result.code, result.out) == (1, "")
        assert result.err.count("There is no ") == 2
    assert (_ids(site), _ids(site, trash=True)) == ([ids[0]], [ids[1]])
    assert httpx.get(listed["photo_url"], timeout=60).status_code == 200
