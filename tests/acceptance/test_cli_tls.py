"""The client commands and TLS."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.fake_server import FakeResponse, FakeServer, run_fake_server
from support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"SAFELIGHT_TOKEN": "hush-hush-0123456789"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "safelight test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    encoding = serialization.Encoding.PEM
    file.write_bytes(
        made.public_bytes(encoding)
        + key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


@contextmanager
def _run_tls_server(certificate: Path) -> Iterator[FakeServer]:
    with run_fake_server(FakeResponse(200, [])) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = server.url.replace("http:", "https:")
        yield server


def test_untrusted_certificate_is_one_error_line(shell: Shell, certificate: Path) -> None:
    with _run_tls_server(certificate) as server:
        line = shell.run("ls", SAFELIGHT_URL=server.url).line
        assert "SAFELIGHT_CA_FILE" in line
        assert server.requests == []
        trusted = shell.run("ls", SAFELIGHT_URL=server.url, SAFELIGHT_CA_FILE=str(certificate))
        assert trusted.code == 0
        missing = shell.run("ls", SAFELIGHT_URL=server.url, SAFELIGHT_CA_FILE="nowhere.pem")
        assert "SAFELIGHT_CA_FILE" in missing.line


def test_http_and_https_mixed_up_is_one_error_line(shell: Shell, certificate: Path) -> None:
    with run_fake_server(FakeResponse(200, [])) as server:
        line = shell.run("ls", SAFELIGHT_URL=server.url.replace("http:", "https:")).line
        assert "http://" in line
    with _run_tls_server(certificate) as server:
        url = server.url.replace("https:", "http:")
        assert "SAFELIGHT_URL" in shell.run("ls", SAFELIGHT_URL=url).line
