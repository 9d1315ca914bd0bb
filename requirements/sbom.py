"""Write the software bill of materials of a release: ``python requirements/sbom.py DIRECTORY``.

It is a CycloneDX 1.6 document of what the lock files pin: the Python packages of `run.lock`, with
the hashes of all their files, and the packages that are built into the gallery. The same lock files
give the same document.
"""

import json
import re
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).parents[1]
_PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==(\S+)((?: ;[^\\\n]*)?(?: \\\n +--hash=\S+)+)$", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def make_sbom() -> dict[str, Any]:
    """Return the document."""
    version = _version()
    root = f"pkg:pypi/safelight@{version}"
    components = sorted([*python_components(), *gallery_components()], key=lambda c: c["purl"])
    direct = _direct_dependencies()
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "safelight",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
        "dependencies": [
            {
                "ref": root,
                "dependsOn": [
                    c["bom-ref"] for c in components if c["purl"].split("@")[0] in direct
                ],
            }
        ],
        # All packages are listed, but of their relations only those to Safelight.
        "compositions": [
            {"aggregate": "complete", "assemblies": [root]},
            {"aggregate": "incomplete", "dependencies": [root]},
        ],
    }
    serial = uuid5(NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": f"urn:uuid:{serial}"}


def python_components() -> list[dict[str, Any]]:
    """Return the packages of `run.lock`. Raises ValueError for a line that isn't understood."""
    text = (ROOT / "requirements" / "run.lock").read_text()
    pins = _PIN.findall(text)
    if len(pins) != sum(line[:1].isalnum() for line in text.splitlines()):
        raise ValueError("run.lock has a line that is no pin with hashes")
    return [
        _component(
            f"pkg:pypi/{name.replace('_', '-')}@{version}",
            name,
            version,
            hashes=[{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(hashes)],
        )
        for name, version, hashes in pins
    ]


def gallery_components() -> list[dict[str, Any]]:
    """Return the packages that the gallery contains, without the tools that build it."""
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    return [
        _component(
            f"pkg:npm/{quote(name, safe='/')}@{package['version']}",
            name,
            package["version"],
            hashes=[_hash(package["integrity"])],
            licenses=[{"expression": package["license"]}],
        )
        for path, package in lock["packages"].items()
        if path and not package.get("dev")
        for name in [path.rpartition("node_modules/")[2]]
    ]


def _component(purl: str, name: str, version: str, **more: object) -> dict[str, Any]:
    base = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {**base, **more}


def _hash(integrity: str) -> dict[str, str]:
    algorithm, _, digest = integrity.partition("-")
    return {"alg": algorithm.upper().replace("SHA", "SHA-"), "content": b64decode(digest).hex()}


def _version() -> str:
    text = (ROOT / "src" / "safelight" / "__init__.py").read_text()
    match = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    if match is None:
        raise ValueError("safelight/__init__.py has no version")
    return match[1]


def _direct_dependencies() -> set[str]:
    """Return the purls, without version, of what `pyproject.toml` and `package.json` name."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for group in groups for line in group}
    package = json.loads((ROOT / "frontend" / "package.json").read_text())
    return {f"pkg:pypi/{name}" for name in names} | {
        f"pkg:npm/{quote(name, safe='/')}" for name in package["dependencies"]
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    target = folder / f"safelight-{_version()}.cdx.json"
    target.write_text(json.dumps(make_sbom(), indent=1) + "\n")
    print(f"Wrote {target}")
