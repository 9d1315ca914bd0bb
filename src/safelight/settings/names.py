"""The names of all variables, and those that people write instead."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Final

from pydantic import BaseModel

from safelight import crash_points
from safelight.settings.settings import Settings

PREFIX: Final = "SAFELIGHT_"

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "SAFELIGHT_S3__ENDPOINT_URL": (
        *("S3_ENDPOINT_URL", "S3_ENDPOINT", "S3_URL", "S3_HOST", "AWS_S3_ENDPOINT"),
        *("AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        *("MINIO_ENDPOINT", "MINIO_ENDPOINT_URL", "MINIO_URL", "MINIO_SERVER_URL"),
    ),
    "SAFELIGHT_S3__BUCKET": (
        *("BUCKET", "BUCKET_NAME", "S3_BUCKET", "S3_BUCKET_NAME", "AWS_BUCKET", "AWS_BUCKET_NAME"),
        *("AWS_S3_BUCKET", "AWS_S3_BUCKET_NAME", "AWS_STORAGE_BUCKET_NAME", "MINIO_BUCKET"),
        *("MINIO_BUCKET_NAME", "MINIO_DEFAULT_BUCKETS"),
    ),
    "SAFELIGHT_S3__REGION": ("S3_REGION", "AWS_S3_REGION", "AWS_S3_REGION_NAME", "MINIO_REGION"),
    "SAFELIGHT_S3__ACCESS_KEY": (
        *("S3_ACCESS_KEY", "S3_ACCESS_KEY_ID", "S3_KEY", "AWS_ACCESS_KEY", "AWS_S3_ACCESS_KEY_ID"),
        *("MINIO_ACCESS_KEY", "MINIO_ROOT_USER"),
    ),
    "SAFELIGHT_S3__SECRET_KEY": (
        *("S3_SECRET_KEY", "S3_SECRET_ACCESS_KEY", "S3_SECRET", "AWS_SECRET_KEY"),
        *("AWS_S3_SECRET_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_PASSWORD"),
    ),
    "SAFELIGHT_DATABASE_URL": ("DATABASE_URL", "POSTGRES_URL", "POSTGRESQL_URL", "DB_URL"),
    "SAFELIGHT_PORT": ("PORT",),
    "SAFELIGHT_ALLOWED_HOSTS": ("ALLOWED_HOSTS",),
    "SAFELIGHT_ORIGINS": ("ALLOWED_ORIGINS", "CORS_ORIGINS", "CORS_ALLOWED_ORIGINS"),
    "SAFELIGHT_PUBLIC_URL": ("PUBLIC_URL", "BASE_URL", "ROOT_URL"),
    "SAFELIGHT_TRUSTED_PROXIES": ("TRUSTED_PROXIES", "FORWARDED_ALLOW_IPS"),
}
"""By setting: variables of other programs for the same. Safelight reads none of them."""

SETTINGS_BY_OTHER_NAME: Final = {
    other: setting for setting, others in OTHER_NAMES.items() for other in others
}

_OF_CLIENTS: Final = ("SAFELIGHT_URL",)
_SIMILAR: Final = 0.7


@cache
def known_variables() -> frozenset[str]:
    """Return the names of all variables that Safelight reads."""
    return frozenset({*variables_of(Settings), *_OF_CLIENTS, crash_points.VARIABLE})


def variables_of(model: type[BaseModel], prefix: str = PREFIX) -> Iterator[str]:
    """Yield the variables of a model and its groups; a group's own takes all members as JSON."""
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables_of(field.annotation, f"{variable}__")


def suggest_variable(name: str) -> str | None:
    """Return the variable that a name without the prefix probably means."""
    if name in SETTINGS_BY_OTHER_NAME:
        return SETTINGS_BY_OTHER_NAME[name]
    known = {
        _plain(variable.removeprefix(PREFIX)): variable
        for variable in sorted(known_variables() - {crash_points.VARIABLE})
    }
    name = _plain(name)
    if name in known:
        return known[name]
    ends = [variable for plain, variable in known.items() if plain.endswith(f"_{name}")]
    if len(ends) == 1:
        return ends[0]
    close = get_close_matches(name, known, n=1, cutoff=_SIMILAR)
    return known[close[0]] if close else None


def _plain(name: str) -> str:
    return name.replace("__", "_")
