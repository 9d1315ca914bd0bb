"""What `safelight doctor` learns about a running server."""

import json
from pathlib import Path

from safelight.server.record import record_server, running_servers
from safelight.settings import Settings

PASSWORD = "a-password-of-postgres"
VARIABLES = {
    "SAFELIGHT_PORT": "8000",
    "SAFELIGHT_DATABASE_URL": f"postgresql://me:{PASSWORD}@localhost/photos",
    "SAFELIGHT_S3": '{"secret_key": "a-secret-key"}',
    "HOME": "/root",
}


def test_running_server_is_found_until_it_ends(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, host="0.0.0.0", port=8123)
    assert running_servers(tmp_path) == []
    with record_server(settings, VARIABLES), record_server(settings, VARIABLES):
        (server,) = running_servers(tmp_path)
        assert (server.url, server.port) == ("http://127.0.0.1:8123", 8123)
        assert server.differences(VARIABLES) == []
    assert list(tmp_path.iterdir()) == []


def test_file_of_a_killed_server_is_ignored(tmp_path: Path) -> None:
    with record_server(Settings(data_dir=tmp_path), VARIABLES):
        (path,) = tmp_path.iterdir()
        content = path.read_bytes()
    path.write_bytes(content)
    assert running_servers(tmp_path) == []


def test_malformed_file_is_ignored(tmp_path: Path) -> None:
    with record_server(Settings(data_dir=tmp_path), VARIABLES):
        (path,) = tmp_path.iterdir()
        for content in (b"", b"{", b"[]", b"1", b'{"pid": 1}'):
            path.write_bytes(content)
            assert running_servers(tmp_path) == []


def test_differences_are_named_without_secrets(tmp_path: Path) -> None:
    with record_server(Settings(data_dir=tmp_path), VARIABLES):
        (server,) = running_servers(tmp_path)
        (path,) = tmp_path.iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        for secret in (PASSWORD, "a-secret-key"):
            assert secret not in path.read_text()
        assert "HOME" not in json.loads(path.read_text())["variables"]
    other = {
        "safelight_port": " 9000 ",
        "SAFELIGHT_DATABASE_URL": "postgresql://me:other@localhost/photos",
        "SAFELIGHT_S3": VARIABLES["SAFELIGHT_S3"],
        "SAFELIGHT_HOST": "::1",
        "SAFELIGHT_TOKEN": "",
    }
    assert server.differences(other) == [
        "SAFELIGHT_DATABASE_URL differs",
        "SAFELIGHT_HOST is not set there, and ::1 here",
        "SAFELIGHT_PORT is 8000 there, and 9000 here",
    ]
