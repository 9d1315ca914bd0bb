"""PgBouncer, which only Debian has."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from support.debian import program
from support.engine_driver import wait_until
from support.network import free_port


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
        pooler.wait(60)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
