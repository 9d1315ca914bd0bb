"""Certificates for TLS between the components of SeaweedFS, and to them from the service.

They are trusted nowhere else. The authority's key is discarded after signing, so no other
certificate can ever be signed. All are replaced before they expire.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HTTPS = "https"
"""The name of the certificate with which all components serve HTTPS and call one another."""
HOST = "127.0.0.1"
"""The only host that this certificate is valid for."""

_LIFETIME = timedelta(days=3650)
_BACKDATED = timedelta(days=1)


def make_certificates(roles: Sequence[str], *, now: datetime) -> Mapping[str, bytes]:
    """Create an authority and a certificate for each role; return PEM texts by file name.

    The files are ``ca.crt``, ``ROLE.crt`` and ``ROLE.key``, valid for ten years from `now`. A
    role's certificate is for gRPC. HTTPS is added to the roles: that certificate is for
    https://127.0.0.1, and no other one is valid there.
    """
    authority = ec.generate_private_key(ec.SECP256R1())
    files = {"ca.crt": _sign(_draft_authority(authority.public_key(), now), authority)}
    grpc = [x509.DNSName("localhost")]
    https = [x509.IPAddress(ip_address(HOST))]
    names = dict.fromkeys(roles, grpc) | {HTTPS: https}
    for role, subject in names.items():
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _draft_leaf(role, subject, key.public_key(), authority.public_key(), now)
        files[f"{role}.crt"] = _sign(draft, authority)
        files[f"{role}.key"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return files


def expires_at(pem: bytes) -> datetime:
    """Return when a certificate expires. Raises ValueError if `pem` is none."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def _draft(name: str, key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    def common_name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return x509.CertificateBuilder(
        subject_name=common_name(name),
        issuer_name=common_name("Safelight engines"),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _BACKDATED,
        not_valid_after=now + _LIFETIME,
    )


def _draft_authority(key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    return (
        _draft("Safelight engines", key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _draft_leaf(
    role: str,
    subject: Sequence[x509.GeneralName],
    key: ec.EllipticCurvePublicKey,
    authority: ec.EllipticCurvePublicKey,
    now: datetime,
) -> x509.CertificateBuilder:
    """Python 3.13 rejects a certificate without the identifiers (VERIFY_X509_STRICT)."""
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)
    return (
        _draft(role, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(subject), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(issuer, critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(draft: x509.CertificateBuilder, authority: ec.EllipticCurvePrivateKey) -> bytes:
    return draft.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)
