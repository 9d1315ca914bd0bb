"""The service as an app: the API, the pages and the middleware."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

import safelight
from safelight.errors import TooManyAttempts, UnknownHost
from safelight.library import Library
from safelight.settings import Settings
from safelight.web import problems
from safelight.web.api import openapi
from safelight.web.api.jobs import job_router
from safelight.web.api.monitoring.health import HEALTH_PATHS, health_router
from safelight.web.api.monitoring.prometheus import metrics_router
from safelight.web.api.photos import service_photo_router
from safelight.web.api.reconcile import reconciliation_router
from safelight.web.api.sessions.sessions import session_router
from safelight.web.auth.auth import Authenticator
from safelight.web.http.paths import PathPrefix
from safelight.web.http.proxies import TrustedProxies
from safelight.web.middleware.exchange import Drain, ErrorMiddleware, ExchangeMiddleware
from safelight.web.middleware.head import HeadMiddleware
from safelight.web.middleware.request_log import RequestMetrics
from safelight.web.middleware.trusted_host import TrustedHostMiddleware
from safelight.web.pages import docs
from safelight.web.pages.gallery_files import GalleryFiles
from safelight.web.pages.renderer import PageRenderer
from safelight.web.pages.routing import page_router
from safelight.web.pages.security_txt import security_txt_router

FIRST_PARTS = frozenset(
    {
        *("", "api", "docs", "gallery", "healthz", "metrics", "openapi.json", "photo", "readyz"),
        *("manifest.webmanifest", "share", "share-worker.js"),
        *("sign-in", "sign-out", "simple-upload", "static", ".well-known"),
    }
)
"""The first parts of the paths of the app."""

_ANYWHERE = openapi.problems(UnknownHost)
_API = openapi.problems(UnknownHost, TooManyAttempts)
"""The errors that every call of the API can return, besides its own."""


def create_app(
    library: Library, settings: Settings, *, token: str | Callable[[], str] | None
) -> FastAPI:
    """Make the app. It starts and closes the library, unless the library is already started.

    `token` is the access token, or a function that returns the current one; None only with
    ``auth="none"``. ``app.state.authenticator`` creates sign-in codes. Set
    ``app.state.drain.begun`` before the server stops.
    """
    drain = Drain()
    authenticator = Authenticator(
        library, settings, token=token if callable(token) else lambda: token
    )
    request_metrics = RequestMetrics()
    renderer = PageRenderer(library)
    app = FastAPI(
        title="Safelight",
        version=safelight.__version__,
        lifespan=library.lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(settings, request_metrics, drain, renderer),
        # FastAPI's own would export the query, which may contain a sign-in code.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.authenticator = authenticator
    app.state.drain = drain
    problems.install(app, renderer.render_error)
    app.include_router(service_photo_router(library, authenticator), prefix="/api")
    app.include_router(session_router(authenticator), prefix="/api")
    app.include_router(job_router(library, authenticator), prefix="/api")
    app.include_router(reconciliation_router(library, authenticator), prefix="/api")
    app.include_router(health_router(library, drain))
    app.include_router(metrics_router(library, request_metrics, authenticator, settings.metrics))
    app.include_router(page_router(library, authenticator, renderer))
    app.include_router(security_txt_router(settings, library.now))
    docs.install(app)
    app.mount("/static", StaticFiles(packages=[("safelight.web.pages", "static")]), name="static")
    app.mount("/gallery", GalleryFiles(), name="gallery")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's way to extend
    return app


def _middleware(
    settings: Settings, request_metrics: RequestMetrics, drain: Drain, renderer: PageRenderer
) -> list[Middleware]:
    """List the middleware, outermost first."""
    return [
        Middleware(
            ExchangeMiddleware,
            proxies=TrustedProxies(settings.trusted_proxies),
            prefix=PathPrefix(settings.public_path, FIRST_PARTS),
            request_metrics=request_metrics,
            drain=drain,
        ),
        *_tracing(settings, request_metrics),
        Middleware(TrustedHostMiddleware, allowed=settings.accepted_hosts, exempt=HEALTH_PATHS),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=[
                *("Authorization", "Content-Type", "If-None-Match", "X-Request-Id"),
                *("Traceparent", "Tracestate"),
            ],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-Id"],
            max_age=3600,
        ),
        Middleware(ErrorMiddleware, render_page=renderer.render_error),
        Middleware(HeadMiddleware),
        Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
    ]


def _tracing(settings: Settings, request_metrics: RequestMetrics) -> list[Middleware]:
    if settings.traces.endpoint_url is None:
        return []
    from safelight.web.middleware.tracing import TracingMiddleware

    return [Middleware(TracingMiddleware, request_metrics=request_metrics)]


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = document.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | openapi.components()
        _remove_fastapi_errors(document)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, calls in document["paths"].items():
            of_api = path.startswith("/api/")
            for call in calls.values():
                if of_api:
                    call["security"] = [{"token": []}]
                refusals = _API if of_api else {} if path in HEALTH_PATHS else _ANYWHERE
                for status, refusal in refusals.items():
                    call["responses"].setdefault(str(status), refusal)
        app.openapi_schema = document
    return app.openapi_schema


def _remove_fastapi_errors(document: dict[str, Any]) -> None:
    """Remove FastAPI's own response to an invalid parameter; Safelight returns a problem."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    calls = [call for path in document["paths"].values() for call in path.values()]
    for call in calls:
        refused = call["responses"].get("422", {}).get("content", {})
        if "application/json" in refused:
            del call["responses"]["422"]
