"""Explain a store's refusal: address, region, clock, keys, bucket or permissions."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from safelight.storage.config import BucketConfig
from safelight.storage.probe.connection import (
    Explanation,
    environment_proxy,
    explain_expected_tls,
    proxy_advice,
    speaks_tls,
)
from safelight.storage.responses import StoreError
from safelight.storage.s3_api import APIResponse

MAX_SKEW: Final = timedelta(minutes=1)
"""Beyond this difference of the clocks there is a warning. S3 refuses 15 minutes."""

NO_BUCKET: Final = frozenset({"NoSuchBucket", "NotFound"})
KEYS: Final = "SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY, or the keys of the AWS chain"
_UNKNOWN_KEY: Final = frozenset(
    {"InvalidAccessKeyId", "InvalidSecurity", "UnrecognizedClientException"}
)
_MISMATCH: Final = "SignatureDoesNotMatch"
_TOKEN: Final = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})
_MAX_PAGE: Final = 64 * 1024
_FAR: Final = timedelta(minutes=5)
"""Beyond this, a refusal without a clear reason is blamed on the clocks."""
_SKEWED: Final = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
DENIED: Final = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden"})
_REGION: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
        "InvalidRegionName",
        "InvalidRegion",
    }
)
_region_in_message = re.compile(
    r"(?:expecting|expected|must be|should be|one of)[: ]*['\"`]?([a-z][a-z0-9-]{1,62})\b",
    re.IGNORECASE,
).search
# People copy these from the message, and the store may be anyone's.
_is_region = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_is_host = re.compile(r"[A-Za-z0-9.-]{1,253}").fullmatch
_wants_tls = re.compile(
    rb"plain HTTP request|HTTP request to an HTTPS|HTTPS port", re.IGNORECASE
).search


def explain_refusal(
    response: APIResponse, config: BucketConfig, *, action: str, permission: str, skew: timedelta
) -> Explanation:
    """Explain why a store refused to `action` (as "list the bucket").

    `permission` is what the action needs, in the terms of IAM. `skew` is how far this machine's
    clock is ahead of the store's. May block for two seconds to find out whether a server without
    S3's error documents speaks TLS.
    """
    error, code = response.error, response.error.code
    denied = permission_check(action)
    if not code:
        return Explanation(*_explain_foreign(response, error, config))
    region = _named_region(response, error, config)
    if code in _SKEWED or (code in DENIED | {_MISMATCH} and abs(skew) > _FAR):
        check, message = "clock", explain_skew(skew, error)
    elif region or code in _REGION:
        check, message = "region", _explain_region(region, error, config)
    elif code in NO_BUCKET | {"InvalidBucketName"}:
        check, message = "bucket", explain_missing_bucket(config, error)
    elif code in _UNKNOWN_KEY | _TOKEN | {_MISMATCH}:
        check, message = "keys", explain_keys(error, config)
    elif code in DENIED:
        check = denied
        message = (
            f"The store doesn't let these keys {action} ({code}): allow them {permission}, as the"
            " policy of 'safelight bucket setup --print-policy' does, or correct"
            " SAFELIGHT_S3__BUCKET."
        )
    elif response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        check, message = denied, f"The store fails to {action} ({code}); its log may say more."
    else:
        check, message = denied, f"The store refuses to {action} ({code})."
    return Explanation(check, message)


def explain_keys(error: StoreError, config: BucketConfig) -> str:
    """Explain that the store doesn't accept the keys."""
    if error.code in _TOKEN:
        cause = "the session token has expired or is wrong"
    elif error.code == _MISMATCH:
        cause = (
            "the secret key doesn't belong to the access key, or a proxy changes the Host header"
        )
    else:
        cause = "it doesn't know the access key"
    return (
        f"The store at {config.endpoint_url} rejects the keys ({error.code}), since {cause}:"
        f" correct {KEYS}."
    )


def explain_missing_bucket(config: BucketConfig, error: StoreError) -> str:
    """Explain that there is no such bucket."""
    return (
        f"The bucket {config.bucket!r} does not exist at {config.endpoint_url} ({error.code}):"
        " create it, or correct SAFELIGHT_S3__BUCKET."
    )


def explain_skew(skew: timedelta, error: StoreError | None = None) -> str:
    """Explain that the two clocks differ."""
    code = f" ({error.code})" if error else ""
    advice = "set the one that is wrong, and keep it right by NTP."
    if abs(skew) < MAX_SKEW:
        return f"This machine's clock and the store's differ too much{code}: {advice}"
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return f"This machine's clock is {_duration(abs(skew))} {direction} the store's{code}: {advice}"


def measure_skew(response: APIResponse, clock: Callable[[], datetime]) -> timedelta:
    """Return how far our clock is ahead of the Date of a response; 0 if it has none."""
    try:
        date = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return timedelta(0)
    return clock() - date if date.tzinfo else timedelta(0)


def permission_check(action: str) -> str:
    """Return the check that an action belongs to: its verb."""
    return action.partition(" ")[0]


def _explain_foreign(
    response: APIResponse, error: StoreError, config: BucketConfig
) -> tuple[str, str]:
    """Explain a response without S3's error document."""
    url = config.endpoint_url
    if proxy := environment_proxy(config):
        return "proxy", (
            f"The proxy {proxy} gave a response ({error}), and not the store at {url}:"
            f" {proxy_advice(config)}."
        )
    if url.startswith("http:") and (_wants_tls(response.body[:_MAX_PAGE]) or speaks_tls(config)):
        return "address", explain_expected_tls(config)
    if location := response.headers.get("location"):
        return "address", (
            f"The server at {url} redirects to {_origin(location)}, and a signature is for one"
            " address only: correct SAFELIGHT_S3__ENDPOINT_URL."
        )
    if error.page_title is not None:
        return "address", (
            f"The server at {url} is not an S3 store: it answers with {error}. Correct the host or"
            " port in SAFELIGHT_S3__ENDPOINT_URL (a store's console has another port than S3)."
        )
    return "address", (
        f"The server at {url} does not answer as an S3 store: {error}. Correct"
        " SAFELIGHT_S3__ENDPOINT_URL, or the proxy before the store."
    )


def _origin(location: str) -> str:
    try:
        target = urlsplit(location)
    except ValueError:
        return "another address"
    return f"{target.scheme}://{target.netloc[:253]}"


def _named_region(response: APIResponse, error: StoreError, config: BucketConfig) -> str:
    """Return the bucket's region, if the store names one that isn't ours."""
    region = error.region or response.headers.get("x-amz-bucket-region", "")
    if not region and error.code in _REGION:
        match = _region_in_message(error.message)
        region = match[1] if match else ""
    return region if region != config.region and _is_region(region) else ""


def _explain_region(region: str, error: StoreError, config: BucketConfig) -> str:
    start = f"The region {config.region!r} is wrong ({error.code})"
    if region:
        message = f"{start}: set SAFELIGHT_S3__REGION={region}"
    else:
        message = f"{start}: {error.message} Correct SAFELIGHT_S3__REGION"
    if _is_host(error.endpoint):
        host = error.endpoint.removeprefix(f"{config.bucket}.")
        message += f" and SAFELIGHT_S3__ENDPOINT_URL=https://{host}"
    return f"{message}."


def _duration(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{round(minutes / size)} {unit}s"
    return f"{minutes} minute" + ("s" if minutes != 1 else "")
