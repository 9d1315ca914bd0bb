"""The whole service, mounted in another app and for other servers."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from safelight import Library, Settings
from safelight.asgi import make_app
from safelight.errors import SettingsError
from safelight.testing import memory_library, photo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would like a package that FastAPI doesn't require
    from fastapi.testclient import TestClient

__all__ = ["memory_library"]


@pytest.fixture
def safelight_library(tmp_path: Path) -> Library:
    settings = Settings(data_dir=tmp_path / "data", allowed_hosts=("testserver",))
    return Library.from_settings(settings)


def test_mounted_service_works_below_its_path(memory_library: Library, tmp_path: Path) -> None:
    host = FastAPI(lifespan=memory_library.lifespan)
    host.mount("/my/photos", make_app(memory_library))
    token = (tmp_path / "data" / "secrets" / "token").read_text().strip()
    with TestClient(host, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/my/photos/healthz").status_code == 200
        added = client.post("/my/photos/api/photos", files={"photo": photo()})
        assert added.status_code == 201
        assert added.headers["Location"] == f"/my/photos/api/photos/{added.json()['id']}"
        assert client.get(added.headers["Location"]).status_code == 200
        page = client.get("/my/photos/sign-in")
        assert "/my/photos/" in page.text
        assert client.get("/my/photos/api/photos", headers={"Authorization": ""}).status_code == 401


def test_without_the_hosts_lifespan_the_log_says_what_to_do(
    memory_library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    host = FastAPI()
    host.mount("/photos", make_app(memory_library))
    with TestClient(host) as client:
        assert client.get("/photos/readyz").status_code == 500
    assert "lifespan=library.lifespan" in caplog.text


def test_app_for_servers_is_made_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safelight import asgi

    monkeypatch.setenv("SAFELIGHT_DATA_DIR", str(tmp_path / "data"))
    asgi._app.cache_clear()
    assert not (tmp_path / "data").exists()
    assert isinstance(asgi.app, FastAPI)
    assert (tmp_path / "data").exists()
    asgi._app.cache_clear()
    monkeypatch.setenv("SAFELIGHT_PORT", "x")
    with pytest.raises(SettingsError, match="SAFELIGHT_PORT"):
        _ = asgi.app
    nothing: Any = asgi
    with pytest.raises(AttributeError):
        _ = nothing.nothing
