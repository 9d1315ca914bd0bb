"""The container of deploy/ is built and serves photos."""

import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
import yaml

from support import pictures
from support.container import ROOT, Buildah, make_base_image
from support.engine_driver import wait_until
from support.network import free_port

pytestmark = [pytest.mark.debian, pytest.mark.timeout(1800)]  # it installs Debian, Python and Node


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    folder = tmp_path_factory.mktemp("containers")
    builder = Buildah(folder)
    make_base_image(builder, folder)
    service = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    build = service["safelight"]["build"]
    assert (ROOT / "deploy" / build["context"]).resolve() == ROOT
    options = ("--network=host", "--pull-never", "--quiet", "--tag=safelight")
    builder.run("build", *options, f"--file={build['dockerfile']}", ".")
    yield builder
    shutil.rmtree(folder, ignore_errors=True)


def test_container_serves_photos(buildah: Buildah) -> None:
    port = free_port()
    variables = (f"SAFELIGHT_PORT={port}", "SAFELIGHT_AUTH=none")
    with buildah.container("safelight") as container:
        process = buildah.start(container, "env", *variables, "safelight", "serve")
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                assert wait_until(lambda: _is_ready(client, process.poll()), seconds=120)
                photo = {"photo": ("a.jpg", pictures.jpeg(320, 240))}
                added = client.post("/api/photos", files=photo)
                assert added.status_code == 201, added.text
                page = client.get("/", headers={"Accept": "text/html"}).text
                script = re.search(r'<script[^>]* src="([^"]+)"', page)
                assert script
                assert client.get(script[1]).status_code == 200
                original = httpx.get(added.json()["original_url"], trust_env=False)
                assert original.content == photo["photo"][1]
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=120)
    assert "Traceback" not in output


def _is_ready(client: httpx.Client, code: int | None) -> bool:
    assert code is None, "the container has ended"
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False
