"""`safelight doctor` beside a running server, and what it never prints."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.network import free_port
from support.refused_calls import without_calls
from support.serve_process import PATIENCE, ServeProcess
from support.shell import Shell


@pytest.fixture(scope="module")
def served(open_tmp_path: Path) -> Iterator[ServeProcess]:
    server = ServeProcess(open_tmp_path / "doctor", {"SAFELIGHT_PORT": str(free_port())})
    try:
        yield server.start()
    finally:
        server.kill()


def _examine(
    served: ServeProcess, before: Sequence[str | Path] = (), **changes: str
) -> list[dict[str, Any]]:
    """Return the results of the command, which the command `before` may run."""
    variables = {"SAFELIGHT_DATA_DIR": str(served.data_dir), **PATIENCE, **served.settings}
    done = Shell(served.data_dir.parent, variables).run(
        "doctor", "--json", before=before, **changes
    )
    results: list[dict[str, Any]] = json.loads(done.out)
    assert done.code == any(each["outcome"] == "failure" for each in results)
    return results


def test_running_server_with_the_same_settings_is_fine(served: ServeProcess) -> None:
    results = _examine(served)
    assert [each for each in results if each["outcome"] == "failure"] == []
    by_check = {each["check"]: each for each in results}
    assert by_check["settings"]["outcome"] == "ok"
    assert served.settings["SAFELIGHT_PORT"] in by_check["listeners"]["message"]
    assert results[-1]["check"] == "running server"
    assert results[-1]["message"] == f"The server at {served.url} can store uploads"


def test_other_settings_than_those_of_the_running_server_are_named_first(
    served: ServeProcess,
) -> None:
    results = _examine(
        served,
        SAFELIGHT_PORT=str(free_port()),
        SAFELIGHT_S3__ENDPOINT_URL="http://127.0.0.1:9",
        SAFELIGHT_S3__ACCESS_KEY="key",
        SAFELIGHT_S3__SECRET_KEY="hush-hush",
    )
    problems = [each for each in results if each["outcome"] in {"warning", "failure"}]
    first = problems[0]
    assert (first["check"], first["outcome"]) == ("settings", "warning")
    for part in (
        f"SAFELIGHT_PORT is {served.settings['SAFELIGHT_PORT']} there",
        "SAFELIGHT_S3__ENDPOINT_URL is not set there, and http://127.0.0.1:9 here",
        "SAFELIGHT_S3__SECRET_KEY differs",
    ):
        assert part in first["message"]
    failures = [each["check"] for each in problems if each["outcome"] == "failure"]
    assert failures == ["store: address"]
    assert results[-1]["message"].endswith("can store uploads, with its own settings")
    assert "hush-hush" not in json.dumps(results)


@pytest.mark.parametrize("required", [False, True])
def test_decoders_that_cannot_be_confined_are_named(
    served: ServeProcess, *, required: bool
) -> None:
    """The kernel refuses the calls that confine them."""
    settings = {"SAFELIGHT_DARKROOM__REQUIRE_CONFINEMENT": "true"} if required else {}
    results = _examine(served, without_calls("seccomp", "setresuid"), **settings)
    problems = [each for each in results if each["outcome"] in {"warning", "failure"}]
    if required:
        assert problems.pop(0)["check"] == "settings"  # the running server has another one
    (problem,) = problems
    outcome = "failure" if required else "warning"
    assert (problem["check"], problem["outcome"]) == ("decoders", outcome)
    assert "system calls can't be filtered" in problem["message"]
    assert ("it runs as root" in problem["message"]) is (os.geteuid() == 0)
