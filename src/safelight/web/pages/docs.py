"""The API's documentation at /docs: Swagger UI, with every asset from our own origin."""

import gzip
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import HTMLResponse

from safelight.errors import NotFound

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Swagger UI sets inline styles, but runs no inline script."""

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Safelight API</title>
<link rel="icon" href="static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="docs"></div>
<noscript>This page needs JavaScript; it shows <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""

_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
"""


def install(app: FastAPI) -> None:
    """Add the documentation to an app, beside its openapi.json."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/docs", _show_page)
    router.add_api_route("/docs/{asset}", _send_asset)
    app.include_router(router)


async def _show_page() -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


async def _send_asset(request: Request, asset: str) -> Response:
    if asset == "start.js":
        return Response(_START, media_type="text/javascript")
    if asset not in _ASSETS:
        raise NotFound("There is nothing at this address.")
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    content = _gzipped(asset)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        content = gzip.decompress(content)
    return Response(content, media_type=_ASSETS[asset], headers=headers)


@lru_cache
def _gzipped(asset: str) -> bytes:
    """Compress an asset once: it takes far longer than the rest of the response."""
    # Only the package's copy of Swagger UI is used; its code isn't run.
    content = (files("fastapi_swagger") / "resources" / asset).read_bytes()
    return gzip.compress(content, mtime=0)
