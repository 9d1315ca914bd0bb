"""Run a service, and describe it for its clients."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.serve_process import ServeProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The addresses of a running service and its store, and the token."""

    url: str
    store: str
    token: str
    sign_in_link: str = ""
    """The banner's link, which works once."""

    async def add(self, data: bytes, *, title: str = "", description: str = "") -> int:
        """Upload a photo by the API, and return its id."""
        fields = {"title": title, "description": description}
        async with self.api() as api:
            while True:
                files = {"photo": ("photo.jpg", data)}
                response = await api.post("/api/photos", files=files, data=fields)
                if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(float(response.headers["Retry-After"]))
        response.raise_for_status()
        id_: int = response.json()["id"]
        return id_

    def api(self) -> httpx.AsyncClient:
        """Return a client that sends the token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=120)


@contextmanager
def run_service(data_dir: Path, *, empty: bool = False, **settings: str) -> Iterator[Service]:
    """Run a service while the context lasts; `settings` are environment variables."""
    served = ServeProcess(data_dir, settings, empty=empty)
    try:
        served.start()
        asks = settings.get("SAFELIGHT_AUTH") != "none"
        yield Service(
            url=served.url,
            store=banner_value(served, "Photo store"),
            token=served.token if asks else "",
            sign_in_link=banner_value(served, "Sign in") if asks else "",
        )
    finally:
        served.kill()


def banner_value(served: ServeProcess, label: str) -> str:
    lines = (line.strip() for line in served.screen.splitlines())
    return next(line for line in lines if line.startswith(label)).split()[-1].rstrip("/")
