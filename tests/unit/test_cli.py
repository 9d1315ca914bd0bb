"""The command line without a server: its help, settings and output."""

import re
from pathlib import Path

import pytest
import segno
from cyclopts import App, CycloptsError

from safelight import token_file
from safelight.cli.app import app
from safelight.client.settings import ClientSettings, client_settings
from safelight.errors import SettingsError
from safelight.qr import qr_lines
from safelight.settings.environment import read_settings
from safelight.terminal import sanitize

DOCS = Path(__file__).parents[2] / "docs"


def _commands(of: App, *path: str) -> list[str]:
    """List the commands as they are typed after ``safelight``."""
    subcommands = {name: sub for name, sub in of.resolved_commands().items() if name[0] != "-"}
    found = [line for name, sub in subcommands.items() for line in _commands(sub, *path, name)]
    is_command = not subcommands or of.default_command is not None
    return [*([" ".join(path)] if path and is_command else []), *found]


COMMANDS = _commands(app)


def test_all_kinds_of_commands_are_found() -> None:
    assert {"serve", "upload", "ls", "jobs", "jobs retry", "db upgrade"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_from_the_docs(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app([*command.split(), "--help"])
    text = capsys.readouterr().out
    examples = [
        line.removeprefix("Example: ").strip()
        for line in text.splitlines()
        if line.startswith("Example: ")
    ]
    assert len(examples) == 1
    assert f"safelight {command}" in examples[0]
    documented = (DOCS / "cli.md").read_text().splitlines()
    assert examples[0] in documented


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("download 1 --to .", "is a folder"),
        ("download 1 --to /", "is a folder"),
        (f"download {'1' * 5000}", "not a photo's number"),
        (f"album add 1 {'1' * 5000}", "not a photo's number"),
        (f"trash restore {'1' * 20}", "not a photo's number"),
    ],
)
def test_arguments_that_can_not_be_right_are_usage_errors(line: str, problem: str) -> None:
    with pytest.raises(CycloptsError, match=problem):
        app(line, exit_on_error=False, print_error=False)


def test_docs_name_each_command_and_no_other() -> None:
    text = (DOCS / "cli.md").read_text()
    blocks = re.findall(r"^```sh.*?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line.partition("safelight ")[2] for line in "".join(blocks).splitlines()]
    documented = {
        command for command in COMMANDS for line in lines if f"{line} ".startswith(f"{command} ")
    }
    assert documented == set(COMMANDS)
    words = {line.split()[0] for line in lines if line and not line.startswith("--help")}
    assert words <= {command.split()[0] for command in COMMANDS}


def _with_token(folder: Path) -> Path:
    token_file.rotate(folder / "secrets" / "token")
    return folder


def test_default_server_is_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    ("address", "expected"),
    [
        ("https://photos.example/", "https://photos.example"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://example.org/photos/", "https://example.org/photos"),
        ("http://bücher.example:80", "http://bücher.example:80"),
    ],
)
def test_valid_address_is_accepted(address: str, expected: str) -> None:
    assert ClientSettings.from_environment({"SAFELIGHT_URL": address}).url == expected


@pytest.mark.parametrize(
    "address",
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
def test_invalid_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(SettingsError, match="SAFELIGHT_URL") as caught:
        ClientSettings.from_environment({"SAFELIGHT_URL": address})
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("port", ["0", "eighty", "65536", "-1", "٣"])
def test_invalid_port_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="SAFELIGHT_URL"):
        ClientSettings.from_environment({"SAFELIGHT_PORT": port})


def test_token_invalid_in_a_header_is_refused_and_not_repeated() -> None:
    for wrong in ("hush\nhush", "hush hush", "hüsh", "hush\udcff"):
        with pytest.raises(SettingsError, match="SAFELIGHT_TOKEN") as caught:
            ClientSettings.from_environment({"SAFELIGHT_TOKEN": wrong})
        assert wrong not in str(caught.value)


@pytest.mark.parametrize("url", ["https://elsewhere.example", "http://192.168.1.5:8000"])
def test_token_of_the_working_directory_is_not_sent_to_other_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = _with_token(tmp_path / "safelight-data")
    assert ClientSettings.from_environment({"SAFELIGHT_URL": url}).token is None
    named = {"SAFELIGHT_URL": url, "SAFELIGHT_DATA_DIR": str(folder)}
    assert ClientSettings.from_environment(named).token
    for own in ("http://localhost:1", "http://127.9.9.9", "https://[::1]:3"):
        assert ClientSettings.from_environment({"SAFELIGHT_URL": own}).token


@pytest.mark.parametrize(
    ("url", "token", "warnings"),
    [
        ("http://photos.example", "a-token", 1),
        ("http://192.168.1.5:8000", "a-token", 1),
        ("http://localhost.example", "a-token", 1),
        ("http://photos.example", "", 0),
        ("https://photos.example", "a-token", 0),
        ("http://localhost:8000", "a-token", 0),
        ("http://127.0.0.1:8000", "a-token", 0),
        ("http://[::1]:8000", "a-token", 0),
    ],
)
def test_unencrypted_token_causes_a_warning(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    token: str,
    warnings: int,
) -> None:
    monkeypatch.setenv("SAFELIGHT_URL", url)
    monkeypatch.setenv("SAFELIGHT_TOKEN", token)
    client_settings()
    output = capsys.readouterr()
    assert (output.out, output.err.count("unencrypted")) == ("", warnings)


def test_server_ignores_the_clients_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFELIGHT_URL", "https://photos.example")
    assert read_settings().port == 8000


def test_rotation_replaces_the_token_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "token"
    first, second = token_file.load_or_create(file), token_file.rotate(file)
    assert first != second
    assert token_file.load_or_create(file) == second
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["token"]


def test_empty_token_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    file.chmod(0o600)
    assert len(token_file.load_or_create(file)) > 40


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[31m", "\x9b31m", "\r", "\n", "\t", "\x07", "\x7f", "\u2028", "\u202e", "\udcff"],
)
def test_control_characters_are_replaced(hostile: str) -> None:
    assert sanitize(f"a{hostile}b") == f"a\ufffd{hostile[1:]}b"


def test_text_of_any_language_is_unchanged() -> None:
    text = "Am Meer, 海辺で, на море, 👩‍👧 … «ж»"
    assert sanitize(text) == text


def test_qr_code_of_a_link_has_all_modules_and_fits_80_columns() -> None:
    text = "https://photos.example/bucket/photos/key?X-Amz-Signature=" + "a1" * 150
    modules: list[list[bool]] = []
    for line in qr_lines(text):
        modules.append([half not in "█▀" for half in line])
        modules.append([half not in "█▄" for half in line])
    code = segno.make_qr(text, error="l", boost_error=False)
    expected = [[bool(module) for module in row] for row in code.matrix_iter(border=2)]
    assert modules[: len(expected)] == expected
    assert len(modules[0]) <= 80
