"""The engines' passwords and keys: made at the first start, kept in files for their owner alone."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from safelight.engines import certificates
from safelight.engines.paths import private_directory, write_whole
from safelight.errors import EngineError

ROLES = ("master", "volume", "filer", "s3", "client", "admin", "worker")
"""The parts of SeaweedFS that talk to one another by gRPC."""

_RENEWED_BEFORE = timedelta(days=180)


def _token() -> str:
    return secrets.token_hex(32)


def _access_key() -> str:
    return secrets.token_hex(10).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything secret that the engines have. A new one has new random values."""

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


def kept(directory: Path) -> Credentials:
    """Read the credentials in a data directory's `secrets`, making them if there are none.

    Those that a newer version has beyond what was written are added. EngineError if the file can't
    be understood: it is never replaced, since what the engines hold was made with it.
    """
    path = private_directory(directory) / "engines.json"
    known = _read(path) if path.exists() else {}
    credentials = Credentials(**known)
    if len(known) < len(fields(Credentials)):
        write_whole(path, json.dumps(asdict(credentials), indent=1).encode())
    return credentials


def rotate_s3_keys(directory: Path) -> None:
    """Put new keys of the object store in the place of those in a data directory's `secrets`.

    SeaweedFS takes them at its next start; what was signed by the old ones dies then.
    """
    pairs = {name: value for name, value in asdict(Credentials()).items() if name.startswith("s3_")}
    values = asdict(kept(directory)) | pairs
    write_whole(directory / "engines.json", json.dumps(values, indent=1).encode())


def _read(path: Path) -> dict[str, str]:
    names = {each.name for each in fields(Credentials)}
    try:
        values = json.loads(path.read_bytes())
        return {name: str(value) for name, value in values.items() if name in names}
    except (ValueError, AttributeError) as error:
        raise EngineError(f"The secrets in {path} are damaged: put back a copy of it.") from error


def keep_certificates(directory: Path) -> None:
    """See that `directory` has certificates for all of ROLES that are good for a while yet.

    They are replaced all together; the authority's comes last and says that all are there.
    """
    now = datetime.now(UTC)
    if _all_good(private_directory(directory), now):
        return
    files = dict(certificates.made(ROLES, now=now))
    authority = files.pop("ca.crt")
    (directory / "ca.crt").unlink(missing_ok=True)
    for name, pem in files.items():
        write_whole(directory / name, pem)
    write_whole(directory / "ca.crt", authority)


def _all_good(directory: Path, now: datetime) -> bool:
    names = [f"{role}.{kind}" for role in ROLES for kind in ("crt", "key")]
    try:
        ends = certificates.good_until((directory / "ca.crt").read_bytes())
    except (OSError, ValueError):
        return False
    return ends > now + _RENEWED_BEFORE and all((directory / name).is_file() for name in names)
