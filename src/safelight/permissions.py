"""What has to be allowed on the bucket, as IAM policies: to the service, and to who sets it up.

The embedded store's identities have exactly these policies, so whatever is done with it shows
that they are enough. Actions and elements are those of the "Service Authorization Reference" for
Amazon S3; AWS doesn't mind their case, other stores do.
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
"""By the first part of the keys. Each step of an upload in parts but these two is a PutObject."""
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
    """Write the least that Safelight needs to serve, and that a link's signer needs too."""
    arn = _arn(bucket, region)
    objects = [
        _allowed(folder.capitalize(), actions, f"{arn}/{folder}/*")
        for folder, actions in OBJECT_ACTIONS.items()
    ]
    return _policy(*objects, _allowed("Bucket", BUCKET_ACTIONS, arn))


def setup_policy(bucket: str, *, region: str = "us-east-1", probe: str | None = None) -> Policy:
    """Write the least that setting the bucket up needs; not one photo can be read by it.

    `probe` is a key that may be written and deleted too.
    """
    arn = _arn(bucket, region)
    setup = _allowed("Setup", SETUP_ACTIONS, arn)
    if probe is None:
        return _policy(setup)
    return _policy(setup, _allowed("Probe", ("s3:PutObject", "s3:DeleteObject"), f"{arn}/{probe}"))


def written(policy: Policy) -> str:
    """Write it as JSON for people."""
    return json.dumps(policy, indent=2)


def _arn(bucket: str, region: str) -> str:
    """Name the bucket; China and GovCloud are partitions of their own."""
    kinds = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    partition = next((kinds[start] for start in kinds if region.startswith(start)), "aws")
    return f"arn:{partition}:s3:::{bucket}"


def _policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allowed(sid: str, actions: tuple[str, ...], resource: str) -> Policy:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
