"""The bucket itself: made if it isn't there and we may make it."""

import logging
from typing import Any

from safelight.errors import SettingsError
from safelight.sigv4 import Credentials
from safelight.storage.access import Access

_log = logging.getLogger(__name__)

_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


def ensure_bucket(access: Access, credentials: Credentials) -> bool:
    """Make the bucket if there is none, and tell whether it was made; blocking, for start-up.

    Raises SettingsError if it isn't there and can't be made, if the store doesn't answer or if it
    doesn't take the keys. A store that takes them but won't tell whether there is a bucket is
    believed to have one.
    """
    # boto3 takes long to import and is needed only here.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = _client(access, credentials)
    try:
        # Not head_bucket, whose answer doesn't tell wrong keys from a missing permission.
        client.list_objects_v2(Bucket=access.bucket, Prefix="photos/-/", MaxKeys=1)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return _create(client, access)
        if _code(error) in _WRONG_KEYS:
            raise SettingsError(
                f"The store at {access.endpoint_url} doesn't take the keys ({_code(error)}):"
                " correct SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY, or where the AWS"
                " chain has them from."
            ) from error
        _log.warning(
            "the bucket %s can't be listed (%s): photos can be deleted only if the keys have"
            " s3:ListBucket",
            access.bucket,
            _code(error),
        )
    except BotoCoreError as error:
        raise SettingsError(
            f"The store at {access.endpoint_url} does not answer: start it, or correct"
            " SAFELIGHT_S3__ENDPOINT_URL."
        ) from error
    return False


def _create(client: Any, access: Access) -> bool:  # noqa: ANN401  boto3 has no types
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
            return False
        raise SettingsError(
            f"The bucket {access.bucket!r} is not there and can't be made with these keys: make"
            " it, or correct SAFELIGHT_S3__BUCKET."
        ) from error
    _log.info("made the bucket %s", access.bucket)
    return True


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
