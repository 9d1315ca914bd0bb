"""After a crash of the embedded store, another user of the machine takes its ports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.port_takeover import check_takeover
from support.serve_process import ServeProcess

UNPRIVILEGED = 65534


@pytest.fixture
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    server = ServeProcess(open_tmp_path / "taken-by-another-user")
    try:
        yield server.start()
    finally:
        server.kill()


def test_user_who_takes_the_ports_of_a_killed_store_receives_nothing(server: ServeProcess) -> None:
    assert check_takeover(server, uid=UNPRIVILEGED).requests == []
