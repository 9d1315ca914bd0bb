"""IAM policies: for the service's keys, and for keys that configure the bucket.

The embedded store enforces exactly these policies, so every test shows that they are sufficient.
The names of actions come from the "Service Authorization Reference" for Amazon S3. AWS ignores
their case; other stores don't.
"""

import json

OBJECT_ACTIONS = {
    "photos": ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    "incoming": (
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
    "quarantine": ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
}
"""By key prefix. PutObject also covers the other steps of a multipart upload."""
BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketMultipartUploads")
SETUP_ACTIONS = (
    "s3:GetBucketCors",
    "s3:PutBucketCors",
    "s3:GetLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:GetBucketPublicAccessBlock",
    "s3:PutBucketPublicAccessBlock",
)

Policy = dict[str, object]


def service_policy(bucket: str, *, region: str = "us-east-1") -> Policy:
    """Return the minimum policy for the service, and for keys that only sign its links."""
    arn = _arn(bucket, region)
    objects = [
        _statement(folder.capitalize(), actions, f"{arn}/{folder}/*")
        for folder, actions in OBJECT_ACTIONS.items()
    ]
    return _policy(*objects, _statement("Bucket", BUCKET_ACTIONS, arn))


def setup_policy(bucket: str, *, region: str = "us-east-1", probe: str | None = None) -> Policy:
    """Return the minimum policy for configuring the bucket, without access to photos.

    The object at the key `probe` may also be written and deleted.
    """
    arn = _arn(bucket, region)
    setup = _statement("Setup", SETUP_ACTIONS, arn)
    if probe is None:
        return _policy(setup)
    return _policy(
        setup, _statement("Probe", ("s3:PutObject", "s3:DeleteObject"), f"{arn}/{probe}")
    )


def to_json(policy: Policy) -> str:
    """Return a policy as indented JSON."""
    return json.dumps(policy, indent=2)


def _arn(bucket: str, region: str) -> str:
    """Return the bucket's ARN; China and GovCloud are separate partitions."""
    partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    partition = next((partitions[start] for start in partitions if region.startswith(start)), "aws")
    return f"arn:{partition}:s3:::{bucket}"


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(sid: str, actions: tuple[str, ...], resource: str) -> Policy:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
