"""Checks the gallery's sources: types, style, unit tests, the API's types, and how much there is.

``python frontend/check.py``; with ``--fix`` it mends what can be mended by itself.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import build

TYPES = build.HERE / "src" / "api.gen.ts"
MOST = {"JavaScript": 20_000, "CSS": 5_000}
"""Bytes, by gzip, of what the first page needs."""


def generated() -> str:
    """Write the types of the API's OpenAPI document."""
    document = subprocess.run(
        [sys.executable, build.HERE / "openapi.py"], check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "api.ts")
        source.write_bytes(document)
        build.npm("exec", "--", "openapi-typescript", str(source), "-o", str(target), quiet=True)
        return target.read_text()


def sizes() -> dict[str, int]:
    """Weigh what the first page needs."""
    manifest = json.loads((build.OUTPUT / "manifest.json").read_text())
    entry = manifest["src/main.tsx"]
    first = [entry, *(manifest[name] for name in entry.get("imports", ()))]
    files = {
        "JavaScript": [each["file"] for each in first],
        "CSS": [style for each in first for style in each.get("css", ())],
    }
    return {
        kind: sum(len(gzip.compress((build.OUTPUT / name).read_bytes())) for name in names)
        for kind, names in files.items()
    }


def fix() -> None:
    """Mend."""
    build.install()
    TYPES.write_text(generated())
    build.npm("run", "--silent", "fix")


def main() -> None:
    """Check, and end with an error at the first thing that isn't right."""
    build.build()
    build.install()
    if "--fix" in sys.argv:
        fix()
        return
    if generated() != TYPES.read_text():
        sys.exit(f"{TYPES} is not what the API's document says: run `make fix`.")
    for script in ("types", "lint", "test"):
        build.npm("run", "--silent", script)
    for kind, size in sizes().items():
        print(f"The first page's {kind}: {size:,} bytes by gzip, of {MOST[kind]:,} allowed")
        if size > MOST[kind]:
            sys.exit(f"The first page has too much {kind}.")


if __name__ == "__main__":
    main()
