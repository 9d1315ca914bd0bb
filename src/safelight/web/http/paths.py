"""Paths of requests, for a service or a router that clients see below another path.

A proxy may serve the service at ``https://home.example/photos/``, and may or may not remove
``/photos`` from the requests that it passes on. An app that embeds it may be mounted at a path, or
have a ``root_path`` itself. In the scope of ASGI, `root_path` is the part of the client's path that
precedes the app's own paths, and `path` begins with it; but Starlette and many servers leave it out
of `path` if the proxy has removed it.
"""

from collections.abc import Collection
from urllib.parse import quote

from starlette.types import Scope

_SAFE = "/:@!$&'()*+,;=~"
"""Characters that a path may contain unencoded (RFC 3986, 3.3)."""


def route_path(scope: Scope) -> str:
    """Return the path within the app, without the `root_path` if the path begins with that."""
    path: str = scope["path"]
    inner = _remove(root_path(scope), path)
    return path if inner is None else inner


def public_path(scope: Scope) -> str:
    """Return the path that the client has requested, encoded for a URL."""
    path = root_path(scope) + route_path(scope) if scope.get("root_path") else scope["path"]
    return quote(path, safe=_SAFE)


def root_path(scope: Scope) -> str:
    """Return the path that the app is served at: empty, or without a slash at its end."""
    root: str = scope.get("root_path", "")
    return root.rstrip("/")


class PathPrefix:
    """The path that a proxy serves an app at, such as ``/photos``, or an empty string.

    `first_parts` are the first parts of the app's own paths. They decide what is meant where the
    prefix is one of them, as with ``/gallery``.
    """

    def __init__(self, prefix: str, first_parts: Collection[str]) -> None:
        self.prefix = prefix
        self._first_parts = frozenset(first_parts)

    def apply(self, scope: Scope) -> None:
        """Make the scope's path and `root_path` complete, whether the proxy removes them or not."""
        root, path = root_path(scope), scope["path"]
        if not path.startswith("/"):  # OPTIONS *
            return
        # A mount appends its path to `root_path`, but can't add what is missing at the start.
        outer = scope.get("app_root_path", root).rstrip("/")
        inner = _remove(root, path)
        if inner is None:
            inner = _remove(root, outer + path)
        if inner is None:
            inner = path
        if self.prefix and root != self.prefix:
            inner = inner if root else self._find_inner(inner)
            root = self.prefix
        if not root:
            return
        scope["root_path"] = scope["app_root_path"] = root
        scope["path"] = root + (inner or "/")
        if "raw_path" in scope:
            scope["raw_path"] = quote(scope["path"], safe=_SAFE).encode("ascii")

    def _find_inner(self, path: str) -> str:
        """Return the path within the app, of a request whose proxy may have removed the prefix."""
        inner = _remove(self.prefix, path)
        if inner is None:
            return path
        has_prefix = inner in {"", "/"} or self._is_own(inner) or not self._is_own(path)
        return inner if has_prefix else path

    def _is_own(self, path: str) -> bool:
        return path.split("/", 2)[1] in self._first_parts


def _remove(prefix: str, path: str) -> str | None:
    """Return a path without a prefix that ends between two parts; None if it has none."""
    if path == prefix or path.startswith(f"{prefix}/"):
        return path[len(prefix) :]
    return None
