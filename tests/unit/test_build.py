"""Building the gallery: packages get no secrets, and run nothing when they are installed."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from safelight.web.pages.languages import LANGUAGES

FRONTEND = Path(__file__).parents[2] / "frontend"


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The build script, with an npm that prints its arguments and environment as JSON."""
    spec = importlib.util.spec_from_file_location("frontend_build", FRONTEND / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    report = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    monkeypatch.setattr(module, "find_npm", lambda: [sys.executable, "-c", report])
    monkeypatch.setattr(module, "HERE", tmp_path)
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "node_modules").mkdir()
    for name in ("SAFELIGHT_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "NPM_TOKEN"):
        monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("npm_config_userconfig", "npmrc")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    return module


def _report(capfd: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, str]]:
    arguments, environment = json.loads(capfd.readouterr().out)
    return arguments, environment


def test_packages_are_installed_without_scripts_and_secrets(
    build: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    build.install()
    arguments, environment = _report(capfd)
    assert arguments[0] == "ci"
    assert "--ignore-scripts" in arguments
    assert "a-secret" not in environment.values()
    assert environment["npm_config_userconfig"] == "npmrc"
    assert environment["https_proxy"] == "http://proxy.example"
    assert str(Path(sys.executable).parent) in environment["PATH"]


def test_tools_get_no_secrets_and_no_settings_of_npm(
    build: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    build.npm("run", "build")
    arguments, environment = _report(capfd)
    assert arguments == ["run", "build"]
    assert "a-secret" not in environment.values()
    assert "npm_config_userconfig" not in environment


def test_pages_and_gallery_have_the_same_languages() -> None:
    files = (FRONTEND / "src" / "languages").glob("??.ts")
    assert {path.stem for path in files} == set(LANGUAGES)


def test_no_package_needs_its_install_script() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())
    assert not [path for path, package in lock["packages"].items() if "hasInstallScript" in package]
