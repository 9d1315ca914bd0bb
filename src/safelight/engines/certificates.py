"""Certificates for mutual TLS between the parts of SeaweedFS, made here and trusted nowhere else.

The authority's key is forgotten as soon as it has signed, so nobody can ever sign another
certificate; when these come near their end, all are made anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=3650)
_BACKDATED = timedelta(days=1)


def made(roles: Sequence[str], *, now: datetime) -> Mapping[str, bytes]:
    """Make a new authority and a certificate for each role, as file name to PEM text.

    ``ca.crt``, and ``ROLE.crt`` and ``ROLE.key`` for each; good for ten years from `now`.
    """
    authority = ec.generate_private_key(ec.SECP256R1())
    ca = x509.BasicConstraints(ca=True, path_length=0)
    root = _draft("Safelight engines", authority.public_key(), now).add_extension(ca, critical=True)
    files = {"ca.crt": root.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)}
    for role in roles:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _for_both_ends(_draft(role, key.public_key(), now))
        signed = certificate.sign(authority, hashes.SHA256())
        files[f"{role}.crt"] = signed.public_bytes(Encoding.PEM)
        files[f"{role}.key"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return files


def good_until(pem: bytes) -> datetime:
    """When a certificate ends. ValueError if it is none."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def _draft(name: str, key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return x509.CertificateBuilder(
        subject_name=named(name),
        issuer_name=named("Safelight engines"),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _BACKDATED,
        not_valid_after=now + _LIFETIME,
    )


def _for_both_ends(draft: x509.CertificateBuilder) -> x509.CertificateBuilder:
    ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return draft.add_extension(x509.ExtendedKeyUsage(ends), critical=False).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
