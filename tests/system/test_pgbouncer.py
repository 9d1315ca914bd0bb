"""The catalog and the worker behind PgBouncer."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from safelight.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.jobs import Task, Worker, enqueue
from support.databases import database
from support.debian import program
from support.engine_driver import wait_until
from support.network import free_port

pytestmark = pytest.mark.debian


@contextmanager
def run_pgbouncer(url: str, folder: Path, *, pool_mode: str) -> Iterator[str]:
    """Run PgBouncer before a database, and yield the URL through it."""
    target, port = make_url(url), free_port()
    host = target.query["host"]
    folder.chmod(0o755)
    (folder / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"photos = host={host} dbname={target.database} user={target.username}"
        f" password={target.password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {pool_mode}\n"
    )
    # It refuses to run as root, and only PostgreSQL's user may use the socket.
    as_another_user = ["setpriv", "--reuid=65534", "--clear-groups"]
    capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    command = [program("pgbouncer"), "-q", str(folder / "pgbouncer.ini")]
    pooler = subprocess.Popen([*as_another_user, *capability, *command])
    try:
        assert wait_until(lambda: _answers(port))
        yield f"postgresql://anyone@127.0.0.1:{port}/photos"
    finally:
        pooler.terminate()
        pooler.wait(10)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def database_url(engines: EmbeddedEngines) -> Iterator[str]:
    with database(engines) as url:
        yield url


async def test_session_pooling_works_for_queries_and_jobs(
    database_url: str, open_tmp_path: Path
) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    with run_pgbouncer(database_url, open_tmp_path, pool_mode="session") as url:
        catalog = Catalog(url)
        try:
            await catalog.upgrade()
            await catalog.ping()
            async with Worker(catalog.conninfo, [Task(name="work", work=work)]).running():
                await catalog.transaction(lambda connection: enqueue(connection, "work"))
                await asyncio.wait_for(done.wait(), 30)
        finally:
            await catalog.close()


@pytest.mark.parametrize("pool_mode", ["transaction", "statement"])
async def test_other_pooling_is_refused_at_the_start(
    database_url: str, open_tmp_path: Path, pool_mode: str
) -> None:
    with run_pgbouncer(database_url, open_tmp_path, pool_mode=pool_mode) as url:
        catalog = Catalog(url)
        with pytest.raises(SettingsError, match="pool_mode = session"):
            await catalog.upgrade()
        await catalog.close()
