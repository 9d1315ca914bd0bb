"""Other users of the machine can't use the engines without our secrets."""

import http.client
import json
import os
import secrets
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from safelight.engines import EmbeddedEngines, binaries
from safelight.engines.seaweedfs import certificates
from safelight.engines.seaweedfs.server import Seaweed
from safelight.engines.secrets import ROLES, load_or_create_certificates
from support.engine_driver import fetch, put, wait_until
from support.processes import family, sockets

KEY = "photos/secretplace/original"
PHOTO = b"This is the photo: " + secrets.token_hex(5000).encode()


@pytest.fixture(scope="module")
def seaweed(engines: EmbeddedEngines) -> Seaweed:
    put(engines, KEY, PHOTO)
    assert engines._seaweed is not None
    return engines._seaweed


@pytest.fixture(scope="module")
def file_id(seaweed: Seaweed) -> str:
    """The id of the photo's bytes at the volume server, which an attacker would have to guess."""
    output = seaweed.shell(f"fs.meta.cat /buckets/safelight/{KEY}")
    entry = json.loads(output[output.index("{") : output.rindex("}") + 1])
    return str(entry["chunks"][0]["fileId"])


def _listening(engines: EmbeddedEngines) -> Iterator[tuple[str, int]]:
    for pid in engines.pids().values():
        for each in sockets(family(pid)):
            if each.status == psutil.CONN_LISTEN:
                yield each.laddr[0], each.laddr[1]


def _paths(file_id: str) -> list[str]:
    volume, _, rest = file_id.partition(",")
    return [
        *("/", "/?pretty=y", "/buckets/", "/buckets/safelight/", "/safelight/", "/safelight"),
        *("/safelight?list-type=2", "/buckets/safelight/photos/secretplace/?pretty=y"),
        *(f"/{KEY}", f"/safelight/{KEY}", f"/buckets/safelight/{KEY}"),
        f"/buckets/safelight/{KEY}?metadata=true",
        *(f"/{file_id}", f"/{volume}/{rest}", f"/{volume}/{rest}/original", f"/{file_id}.jpg"),
        f"/{file_id}?readDeleted=true",
        *(f"/dir/lookup?volumeId={volume}", f"/dir/lookup?fileId={file_id}&read=yes"),
        *("/dir/assign", "/dir/status", "/vol/status", "/vol/list", "/col/delete?collection=x"),
        *("/cluster/status", "/stats/memory", "/status", "/ui/index.html", "/healthz", "/metrics"),
        *("/.tus/", "/debug/pprof/", "/submit", "/topics/", "/etc/seaweedfs/filer.conf"),
        *("/api/files?path=/", "/files", "/login", "/plugin", "/v1/config"),
    ]


def _ask(address: tuple[str, int], method: str, path: str, *, tls: bool) -> tuple[int, bytes]:
    """Return status, and headers with body; 0 and nothing if this protocol isn't spoken."""
    kind: http.client.HTTPConnection
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        kind = http.client.HTTPSConnection(*address, timeout=120, context=context)
    else:
        kind = http.client.HTTPConnection(*address, timeout=120)
    try:
        kind.request(method, path, headers={"Accept": "application/json"})
        answer = kind.getresponse()
        return answer.status, str(answer.headers).encode() + answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        kind.close()


def test_engines_listen_only_on_loopback(engines: EmbeddedEngines, seaweed: Seaweed) -> None:
    addresses = set(_listening(engines))
    assert seaweed.ports.s3 in {port for _, port in addresses}
    assert {host for host, _ in addresses} == {"127.0.0.1"}


def test_store_is_not_ready_while_another_process_holds_its_plain_port(
    seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wait_until(seaweed.is_ready)
    monkeypatch.setattr(seaweed, "_pid", os.getpid())
    assert not seaweed.is_ready()


def test_postgresql_listens_on_no_tcp_port(engines: EmbeddedEngines) -> None:
    assert not psutil.Process(engines.pids()["PostgreSQL"]).net_connections("inet")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_no_port_serves_unsigned_reads(
    engines: EmbeddedEngines, seaweed: Seaweed, file_id: str, *, tls: bool
) -> None:
    responses, s3 = 0, {seaweed.ports.s3, seaweed.ports.s3_tls}
    for address in set(_listening(engines)):
        for path in _paths(file_id):
            status, body = _ask(address, "GET", path, tls=tls)
            responses += status != 0
            if 0 < status < 400:  # an empty answer of S3's health checks
                assert address[1] in s3, (address, path, body)
                assert path in {"/status", "/healthz"}, (address, path, body)
            assert PHOTO[:200] not in body, (address, path)
            assert b"secretplace" not in body or status >= 400, (address, path, body)
            assert b"authorization:" not in body.lower(), (address, path, body)
            assert b"fsync" not in body, (address, path, body)
    assert tls or responses > len(_paths(file_id))


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_no_port_accepts_unsigned_writes(
    engines: EmbeddedEngines, seaweed: Seaweed, file_id: str, method: str
) -> None:
    for address in set(_listening(engines)):
        for path in _paths(file_id):
            _ask(address, method, path, tls=False)
    assert fetch(engines, KEY) == PHOTO
    assert "secretplace" in seaweed.shell("fs.ls /buckets/safelight/photos")


def _weed(folder: Path, *words: str, text: str = "") -> str:
    """Run `weed` as another user, without certificates or with those in the folder."""
    program = subprocess.Popen(
        [binaries.weed(), *words],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        out, _ = program.communicate(text.encode(), timeout=2.5)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        out, _ = program.communicate()
    return out.decode(errors="replace")


@pytest.fixture(params=["no certificates", "certificates of another authority"])
def weed_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param != "no certificates":
        load_or_create_certificates(tmp_path)
        parts = [f'[grpc.{role}]\ncert = "{role}.crt"\nkey = "{role}.key"\n' for role in ROLES]
        (tmp_path / "security.toml").write_text('[grpc]\nca = "ca.crt"\n' + "".join(parts))
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [f"fs.rm /buckets/safelight/{KEY}", f"fs.cat /buckets/safelight/{KEY}", "fs.ls /buckets"],
)
def test_weed_shell_does_nothing_without_our_certificates(
    engines: EmbeddedEngines, seaweed: Seaweed, weed_folder: Path, command: str
) -> None:
    ports = seaweed.ports
    where = [f"-master=127.0.0.1:{ports.master}", f"-filer=127.0.0.1:{ports.filer}"]
    output = _weed(weed_folder, "shell", *where, text=f"{command}\n")
    assert PHOTO[:100].decode() not in output
    assert "safelight" not in output.replace(command, "")
    assert fetch(engines, KEY) == PHOTO


def test_weed_shell_works_with_our_certificates(engines: EmbeddedEngines, seaweed: Seaweed) -> None:
    """Otherwise the refusals above would prove nothing."""
    put(engines, "photos/removed/original", b"removed" * 1000)
    seaweed.shell("fs.rm /buckets/safelight/photos/removed/original")
    with pytest.raises(FileNotFoundError):
        fetch(engines, "photos/removed/original")


def test_weed_backup_gets_nothing_without_our_certificates(
    engines: EmbeddedEngines, seaweed: Seaweed, file_id: str, weed_folder: Path
) -> None:
    volume = file_id.partition(",")[0]
    master = f"-master=127.0.0.1:{seaweed.ports.master}"
    _weed(weed_folder, "backup", master, "-dir=.", "-collection=safelight", f"-volumeId={volume}")
    held = [path.read_bytes() for path in weed_folder.rglob("*") if path.is_file()]
    assert not any(PHOTO[:100] in each for each in held)
    assert fetch(engines, KEY) == PHOTO


def test_weed_download_gets_nothing_without_our_certificates(
    engines: EmbeddedEngines, seaweed: Seaweed, file_id: str, weed_folder: Path
) -> None:
    _weed(weed_folder, "download", f"-server=127.0.0.1:{seaweed.ports.master}", "-dir=.", file_id)
    assert not any(
        PHOTO[:100] in path.read_bytes() for path in weed_folder.rglob("*") if path.is_file()
    )


def test_postgresql_requires_the_password(engines: EmbeddedEngines) -> None:
    url, password = engines.database_url, engines.database_url.split(":")[2].split("@")[0]
    for wrong in (url.replace(password, "wrong"), url.replace(f":{password}", "")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace("safelight:", "postgres:").replace("/safelight?", "/postgres?"))


def test_our_role_is_no_superuser(engines: EmbeddedEngines) -> None:
    with psycopg.connect(engines.database_url) as connection:
        row = connection.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False,)


def test_sockets_are_private(engines: EmbeddedEngines, seaweed: Seaweed) -> None:
    ports = [port for _, port in _listening(engines)]
    sockets = [
        *seaweed.directory.glob("*.sock"),
        *(each for port in ports for each in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock")),
    ]
    assert len(sockets) > 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in sockets)


def test_s3_identity_may_use_only_its_bucket(engines: EmbeddedEngines) -> None:
    import boto3
    import botocore.exceptions

    client = boto3.client(
        "s3",
        endpoint_url=engines.s3_endpoint_url,
        region_name=engines.region,
        aws_access_key_id=engines.s3_access_key,
        aws_secret_access_key=engines.s3_secret_key,
    )
    forbidden: dict[str, dict[str, object]] = {
        "create_bucket": {"Bucket": "another"},
        "delete_bucket": {"Bucket": "safelight"},
        "put_bucket_policy": {"Bucket": "safelight", "Policy": "{}"},
        "put_object": {"Bucket": "another", "Key": "x", "Body": b"x"},
    }
    for call, arguments in forbidden.items():
        with pytest.raises(botocore.exceptions.ClientError):
            getattr(client, call)(**arguments)


def test_certificates_are_long_lived_and_the_authority_has_no_key(
    engines: EmbeddedEngines,
) -> None:
    folder = engines.data_dir / "secrets" / "seaweedfs"
    ends = certificates.expires_at((folder / "ca.crt").read_bytes())
    assert ends.year > 2034
    assert not (folder / "ca.key").exists()


def test_arguments_and_environment_contain_no_secret(
    engines: EmbeddedEngines,
) -> None:
    text = (engines.data_dir / "secrets" / "engines.json").read_text()
    values = json.loads(text).values()
    for pid in engines.pids().values():
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(value in arguments for value in values)
        names = {
            name.partition("=")[0] for name in Path(f"/proc/{pid}/environ").read_text().split("\0")
        }
        assert names <= {"PATH", "LANG", "HOME", "TMPDIR", "GOMEMLIMIT", "GOGC", ""}
