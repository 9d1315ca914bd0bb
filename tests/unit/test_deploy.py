"""The settings in docs/deploy.md and deploy/ are valid and consistent."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from safelight.settings import Settings
from safelight.settings.environment import read_settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deploy.md"
UNIT = ROOT / "deploy" / "safelight.service"
COMPOSE = ROOT / "deploy" / "compose.yaml"
NOT_RUN = "not run by our tests"


def _variables(model: type[BaseModel], prefix: str = "SAFELIGHT_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def _unit() -> list[tuple[str, str]]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def _environment_of_unit() -> dict[str, str]:
    values = [value.partition("=") for name, value in _unit() if name == "Environment"]
    return {name: value for name, _, value in values}


def _environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the environments in the docs and files, with a name for each."""
    for number, block in enumerate(re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)):
        lines = [line.partition("=") for line in block.splitlines()]
        yield f"block {number}", {name: value for name, _, value in lines}
    yield "unit", _environment_of_unit()
    yield "compose", yaml.safe_load(COMPOSE.read_text())["services"]["safelight"]["environment"]


ENVIRONMENTS = dict(_environments())


@pytest.mark.parametrize("path", [PAGE, UNIT, COMPOSE], ids=lambda path: path.name)
def test_variables_are_documented(path: Path) -> None:
    settings = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"`(SAFELIGHT_[A-Z0-9_]+)`", settings))
    assert set(re.findall(r"SAFELIGHT_[A-Z0-9_]+", path.read_text())) <= documented


@pytest.mark.parametrize("where", ENVIRONMENTS)
def test_environments_are_valid(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _variables(Settings):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENTS[where].items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.on_loopback
    assert settings != Settings.model_construct()


def test_docs_have_settings_for_five_stores() -> None:
    stores = [
        environment
        for environment in ENVIRONMENTS.values()
        if "SAFELIGHT_S3__ENDPOINT_URL" in environment
    ]
    assert len(stores) == 5


def test_unit_and_compose_file_match_the_documented_proxy() -> None:
    proxied = next(
        environment for name, environment in ENVIRONMENTS.items() if name.startswith("block")
    )
    for where in ("unit", "compose"):
        shown = {name: value for name, value in ENVIRONMENTS[where].items() if "DATA" not in name}
        assert shown == proxied
    caddyfile = re.search(r"```caddyfile\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert caddyfile
    for name in ("photos.example {", "store.example {", "127.0.0.1:8000", "127.0.0.1:8333"):
        assert name in caddyfile[1]


def test_untested_files_say_so() -> None:
    assert all(NOT_RUN in path.read_text().lower() for path in (UNIT, COMPOSE))
    for link in ("deploy/safelight.service", "deploy/compose.yaml"):
        _, _, after = PAGE.read_text().partition(f"](../{link})")
        assert NOT_RUN in after[:80]


def test_unit_matches_its_description() -> None:
    directives = dict(_unit())
    for name, value in (
        ("KillMode", "mixed"),
        ("OOMPolicy", "continue"),
        ("StandardOutput", "null"),
        ("NoNewPrivileges", "yes"),
        ("User", "safelight"),
    ):
        assert directives[name] == value
    assert "MemoryDenyWriteExecute" not in directives
    assert {"AF_UNIX", "AF_NETLINK"} <= set(directives["RestrictAddressFamilies"].split())
    allowed = set(directives["SystemCallFilter"].split())
    assert {"@system-service", "seccomp"} <= allowed  # the decoders call seccomp(2)
    assert directives["SystemCallErrorNumber"] == "EPERM"  # else an optional call ends the process
    assert directives["MemoryMax"].endswith("%")
    assert int(directives["TasksMax"]) >= 512
    assert _environment_of_unit()["SAFELIGHT_DATA_DIR"] == directives["WorkingDirectory"]


def test_compose_file_gives_the_proxy_a_trusted_address() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    safelight, caddy = compose["services"]["safelight"], compose["services"]["caddy"]
    assert caddy["network_mode"] == "service:safelight"
    volumes = {volume.partition(":")[0] for volume in (*safelight["volumes"], *caddy["volumes"])}
    assert volumes - {"./Caddyfile"} == set(compose["volumes"])
    assert safelight["read_only"] is True
    assert "/tmp" in safelight["tmpfs"]  # the engines' sockets
    assert safelight["pids_limit"] == 1024
    file = COMPOSE.parent / safelight["build"]["context"] / safelight["build"]["dockerfile"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", file.read_text(), re.MULTILINE)
    assert copied
    assert all((ROOT / name).exists() for line in copied for name in line.split())
