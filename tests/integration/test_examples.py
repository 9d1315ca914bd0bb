"""The examples start nothing on import, and do what they document."""

import importlib.util
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from safelight.engines import EmbeddedEngines
from safelight.errors import UsageError
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from support.pictures import jpeg

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def settings(engines: EmbeddedEngines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the environment so that an example uses the running engines."""
    for name, value in {
        "SAFELIGHT_DATABASE_URL": engines.database_url,
        "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
        "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
        "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
        "SAFELIGHT_DATA_DIR": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            yield client


@pytest.mark.parametrize("name", ["embed", "avatars"])
def test_importing_an_example_starts_nothing(name: str, tmp_path: Path) -> None:
    code = (
        "import runpy, threading, os;"
        f"runpy.run_path({str(EXAMPLES / (name + '.py'))!r});"
        "print(threading.active_count(), os.listdir('.'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "1 []"


@pytest.mark.usefixtures("settings")
async def test_embedded_router_isolates_owners() -> None:
    async with _client(_example("embed").app) as client:
        ada, grace = {"X-User": "ada"}, {"X-User": "grace"}
        files = {"photo": ("a.jpg", jpeg(301))}
        added = await client.post("/api/photos", files=files, headers=ada)
        assert added.status_code == 201
        id_ = added.json()["id"]
        own = (await client.get("/api/photos", headers=ada)).json()
        assert id_ in [photo["id"] for photo in own]
        others = (await client.get("/api/photos", headers=grace)).json()
        assert id_ not in [photo["id"] for photo in others]
        for method in ("GET", "PATCH", "DELETE"):
            response = await client.request(method, f"/api/photos/{id_}", headers=grace, json={})
            assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert (await client.get("/api/photos")).status_code == 401
        assert (await client.delete(f"/api/photos/{id_}", headers=ada)).status_code == 204


@pytest.mark.usefixtures("settings")
async def test_avatar_is_added_with_its_user() -> None:
    module = _example("avatars")
    name = f"ada {uuid4().hex}"  # other tests have an owner "ada" in the same catalog
    library = module.library
    async with _client(module.app) as client:
        picture = {"avatar": ("me.jpg", jpeg(302))}
        added = await client.post("/users", data={"name": name}, files=picture)
        assert added.status_code == 201, added.text
        url = added.json()["avatar_url"]
        async with httpx.AsyncClient() as http:
            assert (await http.get(url)).content == jpeg(302)
            picture = {"avatar": ("me.jpg", jpeg(305))}
            replaced = await client.put(f"/users/{name}/avatar", files=picture)
            assert (await http.get(replaced.json()["avatar_url"])).content == jpeg(305)
        assert len((await library.list_photos(name)).photos) == 1
        assert (await client.delete(f"/users/{name}")).status_code == 204
        assert (await library.list_photos(name)).photos == ()
        assert (await client.delete(f"/users/{name}")).status_code == 404


@pytest.mark.usefixtures("settings")
async def test_rolled_back_transaction_leaves_no_photo() -> None:
    module = _example("avatars")
    async with _client(module.app) as client:
        name = f"bob {uuid4().hex}"
        bob = {"name": name}
        assert (await client.post("/users", data=bob)).status_code == 201
        picture = {"avatar": ("me.jpg", jpeg(303))}
        assert (await client.post("/users", data=bob, files=picture)).status_code == 409
        library = module.library
        page = await library.page(name)
        assert page.photos == ()
        later = library.now() + max(STALE_AFTER, FORGET_AFTER) + timedelta(minutes=1)
        backends = library.backends
        await Sweep(backends.catalog, backends.bucket, clock=lambda: later).run()
        engine = create_async_engine(library.database_url)
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT status, purged_at FROM safelight_photos WHERE owner = :owner"),
                {"owner": name},
            )
            assert [(row.status, row.purged_at is not None) for row in rows] == [("deleted", True)]
        await engine.dispose()


@pytest.mark.usefixtures("settings")
async def test_transaction_with_a_snapshot_is_refused_before_anything_is_stored() -> None:
    module = _example("avatars")
    async with module.lifespan(module.app):
        library = module.library
        engine = create_async_engine(library.database_url, isolation_level="REPEATABLE READ")
        async with engine.begin() as connection:
            with pytest.raises(UsageError, match="READ COMMITTED"):
                await library.add("carol", io.BytesIO(jpeg(304)), within=connection)
            rows = await connection.execute(
                text("SELECT id FROM safelight_photos WHERE owner = 'carol'")
            )
            assert not rows.all()
        await engine.dispose()
