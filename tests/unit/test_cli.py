"""The command line without a server: what it is told, what it shows, what it loads."""

import subprocess
import sys
from pathlib import Path

import pytest
import segno
from cyclopts import App

from safelight.cli import qr, token
from safelight.cli.app import app
from safelight.cli.client_settings import ClientSettings
from safelight.cli.environment import read_settings
from safelight.cli.terminal import plain
from safelight.errors import SettingsError

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = Path(sys.executable).with_name("safelight")


def _commands(of: App, *path: str) -> list[str]:
    """Name every command that does something, as it is written after ``safelight``."""
    named = {name: each for name, each in of.resolved_commands().items() if name[0] != "-"}
    below = [found for name, each in named.items() for found in _commands(each, *path, name)]
    return below or [" ".join(path)]


COMMANDS = _commands(app)


def test_the_commands_are_found() -> None:
    assert {"serve", "upload", "ls", "url", "rm", "db upgrade", "token rotate"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_shows_an_example_that_is(command: str) -> None:
    told = subprocess.run(
        [SCRIPT, *command.split(), "--help"], check=True, capture_output=True, text=True
    ).stdout
    examples = [
        line.removeprefix("Example: ").strip()
        for line in told.splitlines()
        if line.startswith("Example: ")
    ]
    assert len(examples) == 1
    assert f"safelight {command}" in examples[0]
    documented = (DOCS / "cli.md").read_text().splitlines()
    assert examples[0] in documented


def test_help_loads_nothing_that_takes_long() -> None:
    code = "import sys; from safelight.cli.app import app; app(['--help']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "rich.console" in loaded
    slow = {"httpx", "pydantic", "rich.markdown", "rich.progress", "fastapi", "sqlalchemy", "segno"}
    assert not slow & set(loaded)


def test_clients_load_nothing_of_the_server() -> None:
    code = "import sys, safelight.cli.upload, safelight.cli.link; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"pydantic", "fastapi", "sqlalchemy", "safelight.settings"} & set(loaded)


def _with_token(folder: Path) -> Path:
    token.rotated(folder / "secrets" / "token")
    return folder


def test_the_server_is_the_one_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ClientSettings.from_environment({}) == ClientSettings(
        url="http://127.0.0.1:8000", token=None
    )
    _with_token(tmp_path / "safelight-data")
    settings = ClientSettings.from_environment({"SAFELIGHT_PORT": "9000", "SAFELIGHT_URL": ""})
    assert settings.url == "http://127.0.0.1:9000"
    assert settings.token == (tmp_path / "safelight-data/secrets/token").read_text().strip()
    assert settings.token not in repr(settings)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("https://photos.example/", "https://photos.example"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://example.org/photos/", "https://example.org/photos"),
        ("http://bücher.example:80", "http://bücher.example:80"),
    ],
)
def test_an_address_is_taken(written: str, taken: str) -> None:
    assert ClientSettings.from_environment({"SAFELIGHT_URL": written}).url == taken


@pytest.mark.parametrize(
    "written",
    [
        "photos.example",
        "ftp://photos.example",
        "http://",
        "http://[::1",
        "http://x..y",
        "http://host:0",
        "http://host:99999",
        "http://exa mple",
        "http://host\n",
        "http://host/\udcff",
        "http://me:hush-hush@host",
        "http://host?hush-hush",
        "http://host#hush-hush",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(SettingsError, match="SAFELIGHT_URL") as caught:
        ClientSettings.from_environment({"SAFELIGHT_URL": written})
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("port", ["0", "eighty", "65536", "-1", "٣"])
def test_a_port_that_tells_nothing_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="SAFELIGHT_URL"):
        ClientSettings.from_environment({"SAFELIGHT_PORT": port})


def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated() -> None:
    for wrong in ("hush\nhush", "hush hush", "hüsh", "hush\udcff"):
        with pytest.raises(SettingsError, match="SAFELIGHT_TOKEN") as caught:
            ClientSettings.from_environment({"SAFELIGHT_TOKEN": wrong})
        assert wrong not in str(caught.value)


@pytest.mark.parametrize("url", ["https://elsewhere.example", "http://192.168.1.5:8000"])
def test_the_token_that_lies_here_is_not_sent_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = _with_token(tmp_path / "safelight-data")
    assert ClientSettings.from_environment({"SAFELIGHT_URL": url}).token is None
    named = {"SAFELIGHT_URL": url, "SAFELIGHT_DATA_DIR": str(folder)}
    assert ClientSettings.from_environment(named).token
    for own in ("http://localhost:1", "http://127.9.9.9", "https://[::1]:3"):
        assert ClientSettings.from_environment({"SAFELIGHT_URL": own}).token


def test_the_server_does_not_mind_what_clients_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_URL", "https://photos.example")
    assert read_settings().port == 8000


def test_a_new_token_replaces_the_old_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "token"
    first, second = token.kept(file), token.rotated(file)
    assert first != second
    assert token.kept(file) == second
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["token"]


def test_an_empty_token_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    assert len(token.kept(file)) > 40


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[31m", "\x9b31m", "\r", "\n", "\t", "\x07", "\x7f", "\u2028", "\u202e", "\udcff"],
)
def test_nothing_that_a_terminal_obeys_is_shown(hostile: str) -> None:
    assert plain(f"a{hostile}b") == f"a\ufffd{hostile[1:]}b"


def test_the_text_of_every_language_is_shown() -> None:
    text = "Am Meer, 海辺で, на море, 👩‍👧 … «ж»"
    assert plain(text) == text


@pytest.mark.parametrize("dark", [True, False])
def test_a_code_has_every_module_in_its_place(*, dark: bool) -> None:
    text = "https://photos.example/bucket/photos/key?X-Amz-Signature=" + "a1" * 150
    modules: list[list[bool]] = []
    for line in qr.rows(text, drawn_is_dark=dark):
        modules.append([(half in "█▀") is dark for half in line])
        modules.append([(half in "█▄") is dark for half in line])
    code = segno.make_qr(text, error="l", boost_error=False)
    expected = [[bool(module) for module in row] for row in code.matrix_iter(border=2)]
    assert modules[: len(expected)] == expected
    assert len(modules[0]) <= 80
