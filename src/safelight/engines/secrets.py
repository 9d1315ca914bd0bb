"""The engines' passwords and keys, created at the first start in files only we can read."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from safelight.engines.seaweedfs import certificates
from safelight.errors import EngineError
from safelight.private_files import (
    ensure_private_directory,
    read_private_file,
    write_private_file,
)

ROLES = ("master", "volume", "filer", "s3", "client", "admin", "worker")
"""The components of SeaweedFS that connect to one another by gRPC."""

_RENEW_BEFORE = timedelta(days=180)


def _token() -> str:
    return secrets.token_hex(32)


def _access_key() -> str:
    return secrets.token_hex(10).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSecrets:
    """All secrets of the engines. The defaults are new random values."""

    postgres_password: str = field(default_factory=_token, repr=False)
    postgres_superuser_password: str = field(default_factory=_token, repr=False)
    s3_access_key: str = field(default_factory=_access_key)
    s3_secret_key: str = field(default_factory=_token, repr=False)
    s3_setup_access_key: str = field(default_factory=_access_key)
    s3_setup_secret_key: str = field(default_factory=_token, repr=False)
    jwt_signing: str = field(default_factory=_token, repr=False)
    jwt_signing_read: str = field(default_factory=_token, repr=False)
    jwt_filer_signing: str = field(default_factory=_token, repr=False)
    jwt_filer_signing_read: str = field(default_factory=_token, repr=False)


def load_or_create(directory: Path) -> EngineSecrets:
    """Return the secrets in a data directory's `secrets`, creating them if there are none.

    Secrets that a newer version needs are added. Raises EngineError if the file can't be parsed: it
    is never replaced, since the engines' data depends on it.
    """
    path = ensure_private_directory(directory, secret=True) / "engines.json"
    known = _read(path) if path.exists() else {}
    engine_secrets = EngineSecrets(**known)
    if len(known) < len(fields(EngineSecrets)):
        write_private_file(path, json.dumps(asdict(engine_secrets), indent=1).encode())
    return engine_secrets


def rotate_s3_keys(directory: Path) -> None:
    """Replace the object store's keys in a data directory's `secrets`.

    SeaweedFS uses them from its next start; whatever the old ones signed is invalid then.
    """
    new_keys = {
        name: value for name, value in asdict(EngineSecrets()).items() if name.startswith("s3_")
    }
    values = asdict(load_or_create(directory)) | new_keys
    write_private_file(directory / "engines.json", json.dumps(values, indent=1).encode())


def _read(path: Path) -> dict[str, str]:
    names = {field_.name for field_ in fields(EngineSecrets)}
    try:
        values = json.loads(read_private_file(path, secret=True))
        return {name: str(value) for name, value in values.items() if name in names}
    except (ValueError, AttributeError) as error:
        raise EngineError(
            f"The secrets in {path} are damaged: restore the file from a backup."
        ) from error


def load_or_create_certificates(directory: Path) -> None:
    """Ensure that `directory` has certificates that don't expire soon, for ROLES and the S3 API.

    They are replaced all together; the authority's is written last and marks them complete.
    """
    now = datetime.now(UTC)
    if _are_current(ensure_private_directory(directory, secret=True), now):
        return
    files = dict(certificates.make_certificates(ROLES, now=now))
    authority = files.pop("ca.crt")
    (directory / "ca.crt").unlink(missing_ok=True)
    for name, pem in files.items():
        write_private_file(directory / name, pem)
    write_private_file(directory / "ca.crt", authority)


def _are_current(directory: Path, now: datetime) -> bool:
    roles = (*ROLES, certificates.HTTPS)
    names = [f"{role}.{kind}" for role in roles for kind in ("crt", "key")]
    try:
        ends = certificates.expires_at((directory / "ca.crt").read_bytes())
    except (OSError, ValueError):
        return False
    return ends > now + _RENEW_BEFORE and all((directory / name).is_file() for name in names)
