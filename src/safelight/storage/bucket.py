"""The bucket itself: made if it isn't there and we may make it."""

import logging
from typing import Any

from safelight.errors import SettingsError
from safelight.sigv4 import Credentials
from safelight.storage.access import Access

_log = logging.getLogger(__name__)

_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


def ensure_bucket(access: Access, credentials: Credentials) -> None:
    """Make the bucket if there is none; blocking, for start-up.

    Raises SettingsError if it isn't there and can't be made, or if the store doesn't answer. A
    store that won't tell whether there is a bucket is believed to have one.
    """
    # boto3 takes long to import and is needed only here.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = _client(access, credentials)
    try:
        client.head_bucket(Bucket=access.bucket)
    except ClientError as error:
        if _code(error) in _ABSENT:
            _create(client, access)
    except BotoCoreError as error:
        raise SettingsError(
            f"The store at {access.endpoint_url} does not answer: start it, or correct"
            " SAFELIGHT_S3__ENDPOINT_URL."
        ) from error


def _create(client: Any, access: Access) -> None:  # noqa: ANN401  boto3 has no types
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    where = (
        {}
        if access.region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": access.region}}
    )
    try:
        client.create_bucket(Bucket=access.bucket, **where)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _code(error) in _THERE:
            return
        raise SettingsError(
            f"The bucket {access.bucket!r} is not there and can't be made with these keys: make"
            " it, or correct SAFELIGHT_S3__BUCKET."
        ) from error
    _log.info("made the bucket %s", access.bucket)


def _client(access: Access, credentials: Credentials) -> Any:  # noqa: ANN401  boto3 has no types
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        "s3",
        endpoint_url=access.endpoint_url,
        region_name=access.region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"max_attempts": 3},
            s3={"addressing_style": "virtual" if access.virtual_hosted else "path"},
        ),
    )


def _code(error: Any) -> str:  # noqa: ANN401  botocore has no types
    return str(error.response.get("Error", {}).get("Code", ""))
