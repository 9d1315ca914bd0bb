"""A running service, as a visitor sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from acceptance.served import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a running service and its store are, and what lets one in."""

    url: str
    store: str
    token: str

    async def add(self, data: bytes, *, title: str = "", description: str = "") -> int:
        """Add a photo by the API; its id."""
        said = {"title": title, "description": description}
        async with self.api() as api:
            answer = await api.post("/api/photos", files={"photo": ("photo.jpg", data)}, data=said)
        answer.raise_for_status()
        id_: int = answer.json()["id"]
        return id_

    def api(self) -> httpx.AsyncClient:
        """A client that carries the token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)


@contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[Service]:
    """Serve until the context ends; `settings` by the names of their variables."""
    served = Served(data_dir, settings)
    try:
        served.start()
        asks = settings.get("SAFELIGHT_AUTH") != "none"
        yield Service(
            url=served.url, store=told(served, "Photo store"), token=served.token if asks else ""
        )
    finally:
        served.stop()


def told(served: Served, label: str) -> str:
    lines = (line.strip() for line in served.screen.splitlines())
    return next(line for line in lines if line.startswith(label)).split()[-1].rstrip("/")
