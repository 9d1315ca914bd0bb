"""The uploader: a module for pages of embedding apps, built from ``frontend/src/uploader``."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_FOLDER: Final = Path(__file__).parents[1] / "gallery_files"
_FILES: Final = {"uploader.js": "text/javascript", "uploader.d.ts": "text/plain"}
_MISSING: Final = "The uploader is not built. Run `make gallery` in the checkout."


def add_uploader_routes(router: APIRouter) -> None:
    """Serve the module and its types to anyone: they are code, and contain nothing of an owner."""
    for name, media_type in _FILES.items():
        router.add_route(
            f"/{name}", _serve(_FOLDER / name, media_type), methods=["GET"], include_in_schema=False
        )


def _serve(path: Path, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return PlainTextResponse(_MISSING, status_code=404)
        # A page may be older than the server, so it asks for the current version each time.
        etag = f'"{sha256(content).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "public, no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if etag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return serve
