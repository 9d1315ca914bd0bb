"""Secret files are read and written without following links of other users."""

import ast
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from safelight import private_files, token_file
from safelight.client.settings import ClientSettings
from safelight.engines.postgres import layout
from safelight.errors import EngineError, SettingsError
from safelight.private_files import (
    check_data_directory,
    ensure_data_directory,
    ensure_private_directory,
    exposed_parent,
    read_private_file,
    write_private_file,
)
from safelight.server.serve import run
from safelight.settings import Settings

OTHER_USER = 4242
"""The uid of a pretended current user, who owns no file of the test."""
SOURCES = Path(private_files.__file__).parent


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a token."""
    token_file.rotate(tmp_path / "data" / "secrets" / "token")
    return tmp_path / "data"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_written_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private_file(tmp_path / "token", b"secret")
        assert _mode(ensure_data_directory(tmp_path / "data")) == 0o700
    finally:
        os.umask(before)
    assert _mode(tmp_path / "token") == 0o600
    assert read_private_file(tmp_path / "token", secret=True) == b"secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "token"]


def test_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tmp_path / "token").symlink_to(outside)
    write_private_file(tmp_path / "token", b"secret")
    assert outside.read_text() == "untouched"
    assert not (tmp_path / "token").is_symlink()


def test_link_in_the_place_of_the_draft_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tmp_path / ".token.guessed").symlink_to(outside)
    with pytest.raises(FileExistsError):
        write_private_file(tmp_path / "token", b"secret")
    assert outside.read_text() == "untouched"


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private_file(tmp_path / "token", b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_private_file(tmp_path / "token", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702, 0o1777])
def test_nothing_is_written_where_others_can_write(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(SettingsError, match=f"run chmod -R go-w {folder}$"):
        write_private_file(folder / "token", b"secret")
    assert list(folder.iterdir()) == []


def test_nothing_is_written_to_a_directory_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(SettingsError, match=f"chown -R {OTHER_USER} {tmp_path}$"):
        write_private_file(tmp_path / "token", b"secret")
    assert list(tmp_path.iterdir()) == []


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


@pytest.mark.parametrize(
    "plant",
    [_link, _pipe, _folder, *[lambda path, mode=mode: path.chmod(mode) for mode in (0o604, 0o640)]],
)
def test_token_that_may_not_be_ours_is_refused(
    data_dir: Path, plant: Callable[[Path], None]
) -> None:
    file = data_dir / "secrets" / "token"
    plant(file)
    with pytest.raises(SettingsError, match=str(file)):
        token_file.read_token(file)


@pytest.mark.parametrize(
    ("path", "mode", "command"),
    [
        ("", 0o770, "chmod -R go-w"),
        ("", 0o702, "chmod -R go-w"),
        ("secrets", 0o750, "chmod -R go="),
        ("secrets", 0o701, "chmod -R go="),
        ("secrets/token", 0o644, "chmod go="),
    ],
)
@pytest.mark.parametrize("rotates", [False, True])
def test_open_directory_is_refused_with_the_command_to_run(
    data_dir: Path, path: str, mode: int, command: str, *, rotates: bool
) -> None:
    file = data_dir / "secrets" / "token"
    (data_dir / path).chmod(mode)
    if rotates and path == "secrets/token":
        token_file.rotate(file)  # replaces the file
        assert _mode(file) == 0o600
        return
    use = token_file.rotate if rotates else token_file.read_token
    with pytest.raises(SettingsError, match=f"run {command} {data_dir / path}$"):
        use(file)


@pytest.mark.parametrize("mode", [0o700, 0o710, 0o755])
def test_data_directory_that_others_can_only_read_is_used(data_dir: Path, mode: int) -> None:
    data_dir.chmod(mode)
    assert token_file.read_token(data_dir / "secrets" / "token")


def test_another_users_token_is_neither_read_nor_sent(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir.parent)
    data_dir.rename("safelight-data")
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(SettingsError, match="belongs to"):
        ClientSettings.from_environment({})


def test_server_does_not_start_on_another_users_data_directory(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(SettingsError, match=f"chown -R {OTHER_USER} {data_dir}$"):
        run(Settings(data_dir=data_dir, port=0))


def test_another_users_link_is_not_followed(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above, link = tmp_path / "above", tmp_path / "link"
    above.symlink_to(".")
    link.symlink_to("above/data")
    assert ensure_data_directory(link) == data_dir.resolve()
    monkeypatch.setattr(private_files, "_is_trusted", lambda _: False)
    with pytest.raises(SettingsError, match="link that belongs to"):
        check_data_directory(link)
    monkeypatch.setattr(private_files, "_is_trusted", lambda uid: uid == link.lstat().st_uid)
    check_data_directory(link)


def test_another_users_link_in_the_data_directory_is_not_followed(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing the owner of the directory alone leaves what is in it to the other user."""
    elsewhere = ensure_private_directory(tmp_path / "elsewhere", secret=True)
    link = data_dir / "logs"
    link.symlink_to(elsewhere)
    assert ensure_private_directory(link) == link
    monkeypatch.setattr(private_files, "_is_trusted", lambda _: False)
    with pytest.raises(SettingsError, match=f"^{link} is a link that belongs to"):
        ensure_private_directory(link)


def test_links_that_lead_in_circles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SettingsError):
        check_data_directory(tmp_path / "a")


def test_directory_in_which_others_can_replace_ours_is_found(tmp_path: Path) -> None:
    ours = tmp_path / "a" / "b" / "data"
    ours.mkdir(parents=True)
    (tmp_path / "a").chmod(0o1777)
    assert exposed_parent(ours) is None
    (tmp_path / "a").chmod(0o777)
    assert exposed_parent(ours) == tmp_path.resolve() / "a"


def test_existing_directory_that_is_open_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert ensure_private_directory(tmp_path) == tmp_path
    with pytest.raises(SettingsError, match="read or change"):
        ensure_private_directory(tmp_path, secret=True)


@pytest.mark.parametrize(
    "choice",
    [
        {"directory": "/etc", "user": None},
        {"directory": "/var/lib/safelight/../../../etc", "user": None},
        {"directory": "/var/lib/safelight/..", "user": None},
        {"directory": "/var/lib/safelight/0123456789abcdef/x", "user": None},
        {"directory": "data", "user": None},
        {"directory": "", "user": None},
        {"directory": 1, "user": None},
        {"directory": None, "user": 0},
        {"directory": None, "user": 1000},
        {"directory": None, "user": True},
        {"directory": None, "user": "root"},
        {"directory": None},
        [],
    ],
)
def test_planted_postgresql_layout_is_not_believed(tmp_path: Path, choice: object) -> None:
    write_private_file(tmp_path / "postgres.json", json.dumps(choice).encode())
    with pytest.raises(EngineError, match="restore the file"):
        layout.load_or_choose(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["postgres.json"]


def test_all_other_files_are_opened_without_creating_or_with_no_follow() -> None:
    """`write_private_file` is the one way to write a file that has a name."""
    writers = {"write_text", "write_bytes", "NamedTemporaryFile"}
    found = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if not any(name in text for name in (*writers, "O_CREAT")):
            continue
        names = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
        if names & writers or "O_CREAT" in names:
            found.add(path.relative_to(SOURCES).as_posix())
            assert "O_CREAT" not in names or "O_NOFOLLOW" in names, path
    assert found == {
        "private_files.py",
        "engines/lock.py",
        "engines/logfile.py",
        "http_clients.py",  # tempfile adds O_EXCL and O_NOFOLLOW
        "darkroom/child/confinement.py",  # a file of /proc
        "darkroom/child/priority.py",  # a file of /proc
        "server/record.py",
    }
