"""What makes the gallery an app that can be installed, and the target of Android's share sheet.

The operating system posts shared photos to the address that the manifest names. A service worker
for that address alone keeps them until the gallery opens and uploads them. See decision 40.
"""

from importlib.resources import files
from typing import Any, Final

import msgspec
from fastapi import Request, Response

from safelight.errors import ForbiddenOrigin, SafelightError
from safelight.web.auth.auth import Authenticator
from safelight.web.http.paths import root_path
from safelight.web.pages.languages import page_texts

_ICONS: Final = (
    ("icon.svg", "any", "image/svg+xml", "any"),
    ("icon-192.png", "192x192", "image/png", "any"),
    ("icon-512.png", "512x512", "image/png", "any"),
    ("icon-maskable-512.png", "512x512", "image/png", "maskable"),
)
_ACCEPT: Final = ("image/*", ".heic", ".heif", ".hif")


class InstalledApp:
    """The manifest, and the target of the share sheet."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._worker = (files("safelight.web.pages") / "static" / "share-worker.js").read_bytes()

    async def manifest(self, request: Request) -> Response:
        """Return the web app manifest; with a share target for a browser that is signed in."""
        root = root_path(request.scope)
        texts = page_texts(request)
        manifest: dict[str, Any] = {
            "id": f"{root}/",
            "name": "Safelight",
            "short_name": "Safelight",
            "description": texts.gallery_description,
            "lang": texts.language,
            "start_url": f"{root}/",
            "scope": f"{root}/",
            "display": "standalone",
            "background_color": "#f8f6f4",
            "theme_color": "#f8f6f4",
            "icons": [
                {"src": f"{root}/static/{name}", "sizes": sizes, "type": type_, "purpose": purpose}
                for name, sizes, type_, purpose in _ICONS
            ],
            "shortcuts": [
                {"name": texts.recent, "url": f"{root}/?view=recent"},
                {"name": texts.search, "url": f"{root}/?view=search"},
            ],
        }
        if key := await self._share_key(request):
            manifest["share_target"] = {
                "action": f"{root}/share?key={key}",
                "method": "POST",
                "enctype": "multipart/form-data",
                "params": {"files": [{"name": "photos", "accept": _ACCEPT}]},
            }
        return Response(
            msgspec.json.encode(manifest),
            media_type="application/manifest+json",
            headers={"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"},
        )

    async def _share_key(self, request: Request) -> str | None:
        try:
            return self._authenticator.share_key(await self._authenticator(request))
        except SafelightError:
            return None

    async def worker(self, _request: Request) -> Response:
        """Return the service worker. Its address is in the root: it may not control one above."""
        headers = {"Cache-Control": "no-cache"}
        return Response(self._worker, media_type="text/javascript", headers=headers)

    async def share(self, _request: Request) -> Response:
        """Refuse photos that reach the server: the worker is missing, or did not want them."""
        raise ForbiddenOrigin(
            "Photos can only be shared with the installed app. Open it, then share them again."
        )
