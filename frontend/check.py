"""Check the gallery: types, style, unit tests, the generated API types, and the size limits.

``python frontend/check.py``; ``--fix`` formats the sources and generates the API types instead.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import build

API_TYPES = build.HERE / "src" / "api.gen.ts"
MAX_UPLOADER_BYTES = 10_000
MAX_BYTES = {"JavaScript": 20_000, "CSS": 5_000}
"""For the first screen, compressed with gzip."""


def generate_types() -> str:
    """Return TypeScript types for the API's OpenAPI document."""
    document = subprocess.run(
        [sys.executable, build.HERE / "openapi.py"], check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "api.ts")
        source.write_bytes(document)
        build.npm("exec", "--", "openapi-typescript", str(source), "-o", str(target), quiet=True)
        return target.read_text()


def sizes(language: str) -> dict[str, int]:
    """Return the compressed sizes of the files that the first screen needs in a language."""
    manifest = json.loads((build.OUTPUT / f"manifest.{language}.json").read_text())
    entry = manifest["src/main.tsx"]
    first = [entry, *(manifest[name] for name in entry.get("imports", ()))]
    files = {
        "JavaScript": [chunk["file"] for chunk in first],
        "CSS": [style for chunk in first for style in chunk.get("css", ())],
    }
    return {
        kind: sum(len(gzip.compress((build.OUTPUT / name).read_bytes())) for name in names)
        for kind, names in files.items()
    }


def uploader_size() -> int:
    """Return the compressed size of the uploader's module."""
    return len(gzip.compress((build.OUTPUT / "uploader.js").read_bytes()))


def main() -> None:
    """Run all checks. Exit with an error at the first one that fails."""
    build.build()
    build.install()
    if "--fix" in sys.argv:
        API_TYPES.write_text(generate_types())
        build.npm("run", "--silent", "fix")
        return
    if generate_types() != API_TYPES.read_text():
        sys.exit(f"{API_TYPES} does not match the OpenAPI document. Run `make fix`.")
    for script in ("types", "lint", "test"):
        build.npm("run", "--silent", script)
    for language in build.languages():
        for kind, size in sizes(language).items():
            limit = MAX_BYTES[kind]
            figures = f"{size / 1000:.1f} KB gzipped, limit {limit // 1000} KB"
            print(f"{kind} of the first screen ({language}): {figures}")
            if size > limit:
                sys.exit(f"The first screen needs too much {kind}.")
    print(f"The uploader's module: {uploader_size() / 1000:.1f} KB gzipped, limit 10 KB")
    if uploader_size() > MAX_UPLOADER_BYTES:
        sys.exit("The uploader's module is too large.")


if __name__ == "__main__":
    main()
