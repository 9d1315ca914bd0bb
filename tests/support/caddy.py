"""Caddy in front of a service and its store, as in docs/deploy.md."""

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

DOCS = Path(__file__).parents[2] / "docs" / "deploy.md"
CADDY = Path(sys.executable).with_name("caddy")
OPTIONS = """{
\tadmin off
\tauto_https disable_redirects
\tskip_install_trust
\tlocal_certs
\tdefault_bind 127.0.0.1
}
"""
"""Added to the documented file: one port on loopback only, and a local authority."""


def caddyfile(names: Mapping[str, str], docs: Path = DOCS) -> str:
    """Return the docs' Caddyfile with names and ports replaced; each must occur in it."""
    found = re.search(r"```caddyfile\n(.*?)```", docs.read_text(), re.DOTALL)
    assert found, f"{docs.name} has no Caddyfile"
    text = found[1]
    for documented, replacement in names.items():
        assert documented in text
        text = text.replace(documented, replacement)
    return OPTIONS + text


@dataclass(frozen=True, slots=True)
class Caddy:
    """A running Caddy, and the certificate of its local authority."""

    authority: Path

    def client(self, url: str = "", **options: object) -> httpx.Client:
        """Return a client that trusts the authority and resolves every name to this machine."""
        trust = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(
            base_url=url,
            transport=LoopbackTransport(verify=trust),
            timeout=120,
            **options,  # type: ignore[arg-type]  # httpx's own
        )

    def answers(self, site: str) -> bool:
        """Return whether Caddy has a certificate for the site and responds."""
        try:
            with self.client(site) as client:
                return client.get("/healthz").status_code > 0
        except httpx.TransportError:
            return False


class LoopbackTransport(httpx.HTTPTransport):
    """Sends every request to 127.0.0.1, with the original host name."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        local = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return super().handle_request(local)


@contextmanager
def run_caddy(folder: Path, text: str, *sites: str) -> Iterator[Caddy]:
    """Run Caddy with a configuration. It writes only to the folder."""
    folder.mkdir()
    file = folder / "Caddyfile"
    file.write_text(text)
    variables = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [CADDY, "run", "--adapter", "caddyfile", "--config", file],
            env={"PATH": os.environ.get("PATH", ""), **dict.fromkeys(variables, str(folder))},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    try:
        deadline = time.monotonic() + 120
        proxy = Caddy(authority)
        while not (authority.exists() and all(map(proxy.answers, sites))):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield proxy
    finally:
        process.terminate()
        process.wait(120)
