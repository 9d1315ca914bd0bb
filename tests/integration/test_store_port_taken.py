"""After a crash of the embedded store, another program takes its ports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.port_takeover import check_takeover
from support.serve_process import ServeProcess


@pytest.fixture
def server(open_tmp_path: Path) -> Iterator[ServeProcess]:
    """A server with embedded engines, and a proxy in its environment that does not answer."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    server = ServeProcess(open_tmp_path / "taken", proxies)
    try:
        yield server.start()
    finally:
        server.kill()


def test_program_that_takes_the_ports_of_a_killed_store_receives_nothing(
    server: ServeProcess,
) -> None:
    assert check_takeover(server).requests == []
