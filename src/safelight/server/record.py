"""A file that says which settings a running server was started with, for `safelight doctor`.

It is in the data directory, and locked while the server runs, so that one that was left by a killed
server is recognized. Of secrets it has only salted hashes.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from safelight.environment import clean_variables
from safelight.server.listeners import ANY_ADDRESS
from safelight.settings import Settings
from safelight.settings.names import known_variables

_NAME: Final = "serving-{}.json"
_MAX_BYTES: Final = 1 << 20
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A running server: its process, its local URL, and the variables that it has read."""

    pid: int
    url: str
    port: int
    salt: str
    variables: Mapping[str, str]

    def differences(self, variables: Mapping[str, str]) -> list[str]:
        """Describe the settings that have other values in these variables."""
        ours = _plain(variables, self.salt)
        return [
            f"{name} is {_shown(name, self.variables)} there, and {_shown(name, ours)} here"
            if name not in _secret_variables()
            else f"{name} differs"
            for name in sorted({*ours, *self.variables})
            if ours.get(name) != self.variables.get(name)
        ]


@contextmanager
def record_server(settings: Settings, variables: Mapping[str, str]) -> Iterator[None]:
    """Keep the file while the server runs. Its port is that of the settings."""
    path = settings.data_dir / _NAME.format(settings.port)
    salt = secrets.token_hex(16)
    record = {
        "pid": os.getpid(),
        "url": local_url(settings),
        "port": settings.port,
        "salt": salt,
        "variables": _plain(variables, salt),
    }
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the server runs without it, too
            fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stack.callback(path.unlink, missing_ok=True)
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(record).encode(), 0)
        yield


def running_servers(data_dir: Path) -> list[ServerRecord]:
    """Return the servers that run with this data directory."""
    return [
        record
        for path in sorted(data_dir.glob(_NAME.format("*")))
        if (record := _read(path)) is not None
    ]


def _read(path: Path) -> ServerRecord | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return ServerRecord(**json.loads(os.read(fd, _MAX_BYTES)))
        finally:
            os.close(fd)
    return None


def _plain(variables: Mapping[str, str], salt: str) -> dict[str, str]:
    """Return our variables, with hashes in place of secrets."""
    found = {name.upper(): value for name, value in clean_variables(variables).items()}
    return {
        name: _hash(value, salt) if name in _secret_variables() else value
        for name, value in found.items()
        if name in known_variables()
    }


def _hash(value: str, salt: str) -> str:
    """Return a hash by which a short password can't be found quickly."""
    return hashlib.scrypt(value.encode(), salt=salt.encode(), n=1 << 13, r=8, p=1).hex()


@cache
def _secret_variables() -> frozenset[str]:
    """Return the variables of secrets, and those of groups, which may contain them as JSON."""
    return frozenset(_secrets(Settings))


def _secrets(model: type[BaseModel], prefix: str = "SAFELIGHT_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable, kind = f"{prefix}{name.upper()}", field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield variable
            yield from _secrets(kind, f"{variable}__")
        elif "SecretStr" in str(kind):
            yield variable


def _shown(name: str, variables: Mapping[str, str]) -> str:
    return variables.get(name, "not set")


def local_url(settings: Settings) -> str:
    """Return the URL by which programs of this machine reach the service."""
    host = settings.host.strip("[]")
    host = ANY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
