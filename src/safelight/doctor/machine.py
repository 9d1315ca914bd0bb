"""Checks of this machine: the data directory, disk, memory, open files, ports and decoders."""

import shutil
import socket
from collections.abc import Iterator
from typing import Final

from safelight.darkroom.pool import Darkroom
from safelight.errors import OperatorError, SafelightError, SettingsError, format_size
from safelight.library.spool import Spool
from safelight.private_files import check_data_directory as check_owner
from safelight.private_files import check_private_directory
from safelight.server.connection_limits import raise_file_limit
from safelight.server.listeners import listen
from safelight.settings import Settings
from safelight.storage import CheckOutcome, CheckResult
from safelight.token_file import TOKEN_FILE

_GIB: Final = 1024**3
_MIN_FREE: Final = 256 * 1024**2
_FEW_FREE: Final = 2 * _GIB
_ENOUGH_FILES: Final = 4096


def check_data_directory(settings: Settings) -> Iterator[CheckResult]:
    """Check who owns the data directory, who can change it, and that it can be written."""
    try:
        check_owner(settings.data_dir)
        secrets = (settings.data_dir / TOKEN_FILE).parent
        if secrets.exists():
            check_private_directory(secrets, secret=True)
        Spool(settings.data_dir / "spool", max_bytes=1).require_writable()
    except OperatorError as error:
        yield _failure("data directory", str(error))
        return
    except OSError as error:
        yield _failure(
            "data directory",
            f"{error.filename or settings.data_dir}: {error.strerror}. Set SAFELIGHT_DATA_DIR to a"
            " folder that this user can write to.",
        )
        return
    yield CheckResult(check="data directory", message=str(settings.data_dir.absolute()))


def check_resources(settings: Settings) -> Iterator[CheckResult]:
    """Check the disk space, the memory for decoders and the limit of open files."""
    existing = next(
        path
        for path in (settings.data_dir.absolute(), *settings.data_dir.absolute().parents)
        if path.exists()
    )
    free = shutil.disk_usage(existing).free
    message = f"{format_size(free)} free at {existing}"
    if free < _MIN_FREE:
        yield _failure("disk space", f"Only {message}. Make room.")
    elif free < _FEW_FREE:
        yield _warning("disk space", f"Only {message}. Make room soon.")
    else:
        yield CheckResult(check="disk space", message=message)
    files = raise_file_limit()
    if files < _ENOUGH_FILES:
        yield _warning(
            "open files",
            f"The limit of open files is {files}, so few clients can be connected. Raise it to"
            f" {_ENOUGH_FILES} or more (LimitNOFILE= in systemd, ulimit -n in a shell).",
        )
    else:
        yield CheckResult(check="open files", message=f"up to {files:,}")


def is_in_use(settings: Settings) -> bool:
    """Return whether another process has started the engines of the data directory."""
    path = settings.data_dir.resolve() / "lock"
    if not path.is_file():
        return False
    from safelight.engines.lock import Lock

    lock = Lock(path)
    try:
        lock.acquire()
    except OperatorError:
        return True
    lock.release()
    return False


def check_listeners(settings: Settings, *, has_server: bool) -> CheckResult:
    """Check that the port is free, or that a server of ours has it; name every address."""
    if has_server:
        return CheckResult(
            check="listeners", message=f"The running server has port {settings.port}"
        )
    try:
        sockets = listen(settings)
    except SettingsError as error:
        return _failure("listeners", str(error))
    except OperatorError as error:  # what uses the data directory probably has the port, too
        return CheckResult(check="listeners", outcome=CheckOutcome.NOTE, message=str(error))
    addresses = ", ".join(map(_format_address, sockets))
    for each in sockets:
        each.close()
    if not settings.on_loopback and settings.public_url is None:
        return _warning(
            "listeners",
            f"Other machines reach {addresses} without TLS. Put a proxy with TLS before it"
            " (docs/deploy.md), and set SAFELIGHT_PUBLIC_URL to its address.",
        )
    return CheckResult(check="listeners", message=f"{addresses} can be used")


async def check_decoders(settings: Settings) -> CheckResult:
    """Start decoders, have them decode a sample of each format, and see how they are confined."""
    darkroom = Darkroom(settings.limits, require_confinement=settings.darkroom.require_confinement)
    try:
        await darkroom.start()
        gaps = darkroom.decoders.gaps
    except SafelightError as error:
        return _failure("decoders", str(error))
    finally:
        await darkroom.close()
    if gaps:
        return _warning(
            "decoders",
            f"They can't be confined completely on this machine ({', '.join(gaps)}):"
            " docs/security.md has what follows from that.",
        )
    return CheckResult(check="decoders", message="confined")


def _format_address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _failure(check: str, message: str) -> CheckResult:
    return CheckResult(check=check, outcome=CheckOutcome.FAILURE, message=message)


def _warning(check: str, message: str) -> CheckResult:
    return CheckResult(check=check, outcome=CheckOutcome.WARNING, message=message)
