"""The whole service as an app: the API, the pages, and what stands around them."""

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
from safelight.web import docs, problems, schema
from safelight.web.edge import EarlyAnswers, Heads, KnownHosts, SecurityHeaders
from safelight.web.farewell import Farewell, LastAnswers
from safelight.web.gallery import Assets
from safelight.web.health import health_router
from safelight.web.jobs import job_router
from safelight.web.ledger import Entries, Ledger
from safelight.web.metrics import metrics_router
from safelight.web.pages import Pages
from safelight.web.photos import photo_router
from safelight.web.reconciliation import reconciliation_router
from safelight.web.sessions import session_router
from safelight.web.visitors import Visitors

_ANYWHERE = schema.problems(UnknownHost)
_API = schema.problems(UnknownHost, TooManyAttempts)
"""What any call of the API may be answered with, besides its own errors."""


def create_app(
    library: Library, settings: Settings, *, token: str | Callable[[], str] | None
) -> FastAPI:
    """Make the app. It starts and closes the library, unless that was started before it.

    `token` is what a bearer must carry, or gives it, where it may change while the app runs; None
    only with ``auth="none"``. ``app.state.visitors`` makes sign-in links, by `invite`;
    ``app.state.farewell`` is begun by who is about to end the server.
    """
    farewell = Farewell()
    visitors = Visitors(library, settings, token=token if callable(token) else lambda: token)
    ledger = Ledger()
    app = FastAPI(
        title="Safelight",
        version=safelight.__version__,
        lifespan=library.lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_around(settings, ledger, farewell),
        # Theirs would tell collectors the query, with a sign-in code in it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.visitors = visitors
    app.state.farewell = farewell
    problems.install(app)
    app.include_router(photo_router(library, owner=visitors), prefix="/api")
    app.include_router(session_router(visitors), prefix="/api")
    app.include_router(job_router(library, visitors), prefix="/api")
    app.include_router(reconciliation_router(library, visitors), prefix="/api")
    app.include_router(health_router(library, farewell))
    app.include_router(metrics_router(library, ledger, visitors, settings.metrics))
    app.include_router(Pages(library, visitors).router())
    docs.install(app)
    app.mount("/static", StaticFiles(packages=[("safelight.web", "static")]), name="static")
    app.mount("/gallery", Assets(), name="gallery")
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's way to extend
    return app


def _around(settings: Settings, ledger: Ledger, farewell: Farewell) -> list[Middleware]:
    """Order matters: the first is the outermost."""
    return [
        Middleware(Entries, ledger=ledger),
        *_traced(settings, ledger),
        Middleware(LastAnswers, farewell=farewell),
        Middleware(EarlyAnswers),
        Middleware(SecurityHeaders),
        Middleware(KnownHosts, allowed=(*settings.allowed_hosts, settings.host)),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-Id"],
            max_age=3600,
        ),
        Middleware(Heads),
        Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
    ]


def _traced(settings: Settings, ledger: Ledger) -> list[Middleware]:
    if settings.traces.endpoint_url is None:
        return []
    from safelight.web.traces import Traces  # noqa: PLC0415  an extra, only when used

    return [Middleware(Traces, ledger=ledger)]


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = document.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | schema.components()
        _drop_frameworks_errors(document)
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, calls in document["paths"].items():
            of_api = path.startswith("/api/")
            for call in calls.values():
                if of_api:
                    call["security"] = [{"token": []}]
                for status, refusal in (_API if of_api else _ANYWHERE).items():
                    call["responses"].setdefault(str(status), refusal)
        app.openapi_schema = document
    return app.openapi_schema


def _drop_frameworks_errors(document: dict[str, Any]) -> None:
    """Leave out the answer that FastAPI gives to a wrong parameter by itself; ours is a problem."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    calls = [call for path in document["paths"].values() for call in path.values()]
    for call in calls:
        refused = call["responses"].get("422", {}).get("content", {})
        if "application/json" in refused:
            del call["responses"]["422"]
