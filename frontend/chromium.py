"""Get a headless Chromium to test the pages: ``python frontend/chromium.py FOLDER``.

It comes from an npm package, with the libraries that it needs, so no system package is installed.
"""

import base64
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha512
from pathlib import Path

import build

PACKAGE = "@sparticuz/chromium@147.0.0"
_SHA512 = "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
_ARCHIVES = ("al2023.tar.br", "fonts.tar.br")
_DECOMPRESS = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"


def main(folder: Path) -> None:
    """Put the program `chromium`, its libraries and a font into `folder`, or exit with an error."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(f"{PACKAGE} is for Linux on x86_64 only.")
    build.get_node()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        build.npm("pack", PACKAGE, "--silent", "--pack-destination", temporary, quiet=True)
        (archive,) = Path(temporary).glob("*.tgz")
        if base64.b64encode(sha512(archive.read_bytes()).digest()).decode() != _SHA512:
            sys.exit(f"{PACKAGE} is not the package that was expected: its SHA-512 differs.")
        unpacked = Path(temporary, "chromium")
        unpacked.mkdir()
        _unpack(archive, unpacked)
        unpacked.replace(folder)


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as package:
        program = folder / "chromium"
        program.write_bytes(_decompressed(package, "chromium.br"))
        program.chmod(0o755)
        for name in _ARCHIVES:
            with tarfile.open(fileobj=io.BytesIO(_decompressed(package, name))) as files:
                files.extractall(folder, filter="data")


def _decompressed(package: tarfile.TarFile, name: str) -> bytes:
    """Return a file of the package. Python has no Brotli, but Node has."""
    member = package.extractfile(f"package/bin/{name}")
    npm = build.find_npm()
    assert member, name
    assert npm
    node = Path(npm[0]).with_name("node")
    process = subprocess.run(
        [node, "-e", _DECOMPRESS], input=member.read(), check=True, capture_output=True
    )
    return process.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
