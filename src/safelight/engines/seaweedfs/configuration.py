"""SeaweedFS's configuration files: its keys and certificates, and who may use its S3 API."""

import json

from safelight import iam
from safelight.engines.seaweedfs.certificates import HTTPS
from safelight.engines.secrets import ROLES, EngineSecrets

PROBE = "ready"
"""The key of the object that is written to find out whether the server is ready."""

_DIRECTORY = "../secrets/seaweedfs"
_WITH_HTTPS = ("master", "volume", "filer", "admin", "client")


def security(engine_secrets: EngineSecrets) -> str:
    """Return the text of ``security.toml``: mutual TLS, and a key for each kind of token.

    All components but S3 serve HTTPS only, to clients with a certificate of our authority. So their
    status pages are closed, too.
    """
    tokens = {
        "jwt.signing": engine_secrets.jwt_signing,
        "jwt.signing.read": engine_secrets.jwt_signing_read,
        "jwt.filer_signing": engine_secrets.jwt_filer_signing,
        "jwt.filer_signing.read": engine_secrets.jwt_filer_signing_read,
    }
    authority = f'ca = "{_DIRECTORY}/ca.crt"'
    lines = [f'[{part}]\nkey = "{key}"' for part, key in tokens.items()]
    lines.append(f"[grpc]\n{authority}")
    lines += [f"[grpc.{role}]\n{_pair(role)}" for role in ROLES]
    lines += [f"[https.{role}]\n{_pair(HTTPS)}\n{authority}" for role in _WITH_HTTPS]
    lines.append("enabled = true")  # in the last table, that of the client
    return "\n".join(lines) + "\n"


def identities(engine_secrets: EngineSecrets, bucket: str) -> dict[str, object]:
    """Return the content of ``s3.json``: the identities, each with its keys and one policy."""
    service = _identity("safelight", engine_secrets.s3_access_key, engine_secrets.s3_secret_key)
    setup = _identity(
        "setup", engine_secrets.s3_setup_access_key, engine_secrets.s3_setup_secret_key
    )
    policies = {
        "safelight": iam.service_policy(bucket),
        "setup": iam.setup_policy(bucket, probe=PROBE),
    }
    named_policies = [
        {"name": name, "content": json.dumps(policy)} for name, policy in policies.items()
    ]
    return {"identities": [service, setup], "policies": named_policies}


def _pair(role: str) -> str:
    return f'cert = "{_DIRECTORY}/{role}.crt"\nkey = "{_DIRECTORY}/{role}.key"'


def _identity(name: str, access_key: str, secret_key: str) -> dict[str, object]:
    """Return an identity that has only the policy of its own name."""
    pair = {"accessKey": access_key, "secretKey": secret_key}
    return {"name": name, "credentials": [pair], "policyNames": [name]}
