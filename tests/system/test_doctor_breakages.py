"""`safelight doctor` for installations that are broken in real ways, one at a time.

PostgreSQL, the stores, the proxies and the file systems are real ones, and the command is the
installed one. For each, the first line that isn't ok has to name the cause.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs.certificates import make_certificates
from safelight.storage import configure_bucket, ensure_bucket
from support.databases import database
from support.debian_stores import install_packages
from support.disk import Disk
from support.engine_data import copy_engine_data
from support.fake_store import StoreAnswer, run_fake_store
from support.network import free_port
from support.pgbouncer import run_pgbouncer
from support.refused_calls import without_calls
from support.stores import (
    ACCESS_KEY,
    BUCKET,
    DOMAIN,
    SECRET_KEY,
    RealStore,
    run_juicefs,
    run_rclone,
    run_seaweedfs,
)

pytestmark = pytest.mark.debian  # libfaketime; and it takes minutes

OTHER_USER = 65534
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
PUBLIC = "public-bucket"


@dataclass(kw_only=True)
class Installation:
    """A working installation with engines of its own, that a test breaks."""

    postgres: EmbeddedEngines
    store: RealStore
    strict: RealStore
    """A store that compares regions."""
    folder: Path
    database_url: str
    variables: dict[str, str] = field(default_factory=dict)
    before: tuple[str | Path, ...] = ()
    """A command that runs `safelight`."""
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.data_dir = self.folder / "data"
        self.data_dir.mkdir(mode=0o700)
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAFELIGHT_DATA_DIR": str(self.data_dir),
            "SAFELIGHT_PORT": str(free_port()),
            "SAFELIGHT_DATABASE_URL": self.database_url,
            "SAFELIGHT_S3__ENDPOINT_URL": self.store.url,
            "SAFELIGHT_S3__BUCKET": BUCKET,
            "SAFELIGHT_S3__ACCESS_KEY": ACCESS_KEY,
            "SAFELIGHT_S3__SECRET_KEY": SECRET_KEY,
        }

    def set(self, **variables: str) -> None:
        self.variables |= {f"SAFELIGHT_{name}": value for name, value in variables.items()}

    def unset(self, *names: str) -> None:
        for name in names:
            del self.variables[f"SAFELIGHT_{name}"]

    def sql(self, statement: str) -> None:
        """Run a statement in the database as a superuser."""
        url = make_url(self.postgres.superuser_url)
        own = url.set(database=make_url(self.database_url).database)
        text = own.render_as_string(hide_password=False)
        with psycopg.connect(text, autocommit=True) as connection:
            connection.execute(statement)

    def set_url(self, **parts: Any) -> None:
        url = make_url(self.database_url).set(**parts)
        self.set(DATABASE_URL=url.render_as_string(hide_password=False))

    def examine(self) -> list[dict[str, str]]:
        script = Path(sys.executable).with_name("safelight")
        done = subprocess.run(
            [*self.before, script, "doctor", "--json"],
            env=self.variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.stdout, done.stderr
        assert SECRET_KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        results: list[dict[str, str]] = json.loads(done.stdout)
        return results


@pytest.fixture(scope="module")
def postgres(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    copy_engine_data(open_tmp_path / "postgres")
    embedded = EmbeddedEngines(open_tmp_path / "postgres", bucket="safelight", storage=False)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="module")
async def stores(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """SeaweedFS, with keys of several permissions, and JuiceFS."""
    with ExitStack() as stack:
        seaweedfs = stack.enter_context(
            run_seaweedfs(
                tmp_path_factory.mktemp("seaweedfs"),
                reader=["Read", "List"],
                writer=["Read", "Write"],
                anonymous=[f"Read:{PUBLIC}"],
            )
        )
        juicefs = stack.enter_context(run_juicefs(tmp_path_factory.mktemp("juicefs")))
        for store, bucket in (
            (seaweedfs, BUCKET),
            (seaweedfs, PUBLIC),
            (juicefs, BUCKET),
        ):
            config = replace(store.config, bucket=bucket)
            await ensure_bucket(config, store.credentials.current)
            await configure_bucket(config, store.credentials.current, origins=["*"])
        yield seaweedfs, juicefs


@pytest.fixture
def installation(
    postgres: EmbeddedEngines, stores: tuple[RealStore, RealStore], tmp_path: Path
) -> Iterator[Installation]:
    with database(postgres) as url, ExitStack() as stack:
        yield Installation(
            postgres=postgres,
            store=stores[0],
            strict=stores[1],
            folder=tmp_path,
            database_url=url,
            stack=stack,
        )


def _tls(installation: Installation, *, issued: datetime, trusted: bool) -> str:
    """Run something that speaks TLS, and return its URL."""
    for name, content in make_certificates([], now=issued).items():
        (installation.folder / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(installation.folder / "https.crt", installation.folder / "https.key")
    if trusted:
        installation.set(CA_FILE=str(installation.folder / "ca.crt"))
    return installation.stack.enter_context(run_fake_store(tls=context)).url


def _now() -> datetime:
    return datetime.now(UTC)


Break = Callable[[Installation], object]
CASES: dict[str, tuple[Break, str, str, str]] = {}
"""By name: what breaks it; the check, the outcome and a part of the first line that isn't ok."""


def breaks(check: str, text: str, *, outcome: str = "failure") -> Callable[[Break], Break]:
    def add(work: Break) -> Break:
        CASES[work.__name__.strip("_")] = (work, check, outcome, text)
        return work

    return add


# The settings


@breaks("settings", "did you mean SAFELIGHT_S3__REGION?")
def _unknown_variable(it: Installation) -> None:
    it.set(S3_REGION="us-east-1")


@breaks("settings", "SAFELIGHT_ALLOWED_HOSTS")
def _allowed_host_with_a_scheme(it: Installation) -> None:
    it.set(ALLOWED_HOSTS="https://photos.example")


@breaks("settings", "SAFELIGHT_S3__ENDPOINT_URL", outcome="warning")
def _endpoint_by_another_name(it: Installation) -> None:
    it.unset("S3__ENDPOINT_URL", "S3__ACCESS_KEY", "S3__SECRET_KEY")
    it.variables["S3_ENDPOINT_URL"] = it.store.url


@breaks("settings", "SAFELIGHT_CA_FILE")
def _missing_authority_file(it: Installation) -> None:
    it.set(CA_FILE=str(it.folder / "none.pem"))


@breaks("settings", "chmod go-w", outcome="warning")
def _authority_file_that_others_can_change(it: Installation) -> None:
    file = it.folder / "ca.pem"
    file.write_bytes(make_certificates([], now=_now())["ca.crt"])
    file.chmod(0o666)
    it.set(CA_FILE=str(file))


@breaks("settings", "set both of ACCESS_KEY and SECRET_KEY")
def _one_key_only(it: Installation) -> None:
    it.unset("S3__SECRET_KEY")


# The machine


@breaks("data directory", "chmod")
def _data_directory_that_others_can_change(it: Installation) -> None:
    it.data_dir.chmod(0o777)


@breaks("data directory", "chown")
def _data_directory_of_another_user(it: Installation) -> None:
    os.chown(it.data_dir, OTHER_USER, OTHER_USER)


@breaks("data directory", "secrets")
def _secrets_that_others_can_read(it: Installation) -> None:
    (it.data_dir / "secrets").mkdir()
    (it.data_dir / "secrets").chmod(0o755)


@breaks("data directory", "spool")
def _file_in_place_of_the_spool(it: Installation) -> None:
    (it.data_dir / "spool").write_text("in the way")


@breaks("data directory", "Read-only file system")
def _read_only_disk(it: Installation) -> None:
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    it.before = ("unshare", "--mount", "sh", "-c", script, it.data_dir)


@breaks("disk space", "Make room")
def _full_disk(it: Installation) -> None:
    disk = Disk(it.folder / "small", 1024 * 1024)
    disk.mount_point.mkdir()
    it.set(DATA_DIR=str(disk.mount_point / "data"))
    it.before = disk.command_prefix()


@breaks("open files", "LimitNOFILE", outcome="warning")
def _few_open_files(it: Installation) -> None:
    it.before = ("sh", "-c", 'ulimit -n 256; exec "$0" "$@"')


@breaks("decoders", "system calls can't be filtered", outcome="warning")
def _kernel_without_filters(it: Installation) -> None:
    it.before = (*without_calls("seccomp"),)


@breaks("decoders", "it runs as root")
def _required_confinement_of_a_root_without_rights(it: Installation) -> None:
    it.set(DARKROOM__REQUIRE_CONFINEMENT="true")
    it.before = (*without_calls("setresuid"),)


@breaks("listeners", "SAFELIGHT_PORT")
def _port_of_another_program(it: Installation) -> None:
    other = it.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    it.set(PORT=str(other.getsockname()[1]))


@breaks("listeners", "SAFELIGHT_HOST")
def _address_of_another_machine(it: Installation) -> None:
    it.set(HOST="192.0.2.1")


@breaks("listeners", "TLS", outcome="warning")
def _pages_without_tls(it: Installation) -> None:
    it.set(HOST="0.0.0.0")


# PostgreSQL


@breaks("database", "does not answer")
def _stopped_postgres(it: Installation) -> None:
    it.set_url(host="127.0.0.1", port=9, query={})


@breaks("database", "user or password")
def _wrong_password(it: Installation) -> None:
    it.set_url(password="wrong")


@breaks("database", "no database with")
def _unknown_database(it: Installation) -> None:
    it.set_url(database="nothing")


@breaks("database: writes", "default_transaction_read_only")
def _read_only_database(it: Installation) -> None:
    name = make_url(it.database_url).database
    it.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")


@breaks("database: privileges", "GRANT CREATE, USAGE ON SCHEMA public")
def _user_who_may_not_create_tables(it: Installation) -> None:
    name = f"guest_{uuid4().hex[:8]}"
    it.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    it.stack.callback(it.sql, f"DROP OWNED BY {name}; DROP ROLE {name}")
    it.sql(f"GRANT USAGE ON SCHEMA public TO {name}")
    it.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    it.set_url(username=name, password="x")


@breaks("database: privileges", "search_path")
def _schema_that_does_not_exist(it: Installation) -> None:
    query = {**make_url(it.database_url).query, "options": "-csearch_path=nowhere"}
    it.set_url(query=query)


@breaks("database: migrations", "newer Safelight")
def _schema_of_a_newer_version(it: Installation) -> None:
    it.sql("UPDATE safelight_alembic_version SET version_num = '9999'")


@breaks("database: migrations", "safelight db upgrade", outcome="warning")
def _schema_of_an_older_version(it: Installation) -> None:
    it.sql("UPDATE safelight_alembic_version SET version_num = '0003'")


@breaks("database: connections", "Raise max_connections", outcome="warning")
def _few_connections(it: Installation) -> None:
    name = make_url(it.database_url).username
    it.sql(f"ALTER ROLE {name} CONNECTION LIMIT 12")
    it.stack.callback(it.sql, f"ALTER ROLE {name} CONNECTION LIMIT -1")


@breaks("database", "no connection left")
def _no_connections(it: Installation) -> None:
    name = make_url(it.database_url).username
    it.sql(f"ALTER ROLE {name} CONNECTION LIMIT 0")
    it.stack.callback(it.sql, f"ALTER ROLE {name} CONNECTION LIMIT -1")


def _pooler(it: Installation, pool_mode: str) -> None:
    folder = it.folder / "pgbouncer"
    folder.mkdir()
    url = make_url(it.database_url)
    text = url.render_as_string(hide_password=False)
    it.set(DATABASE_URL=it.stack.enter_context(run_pgbouncer(text, folder, pool_mode=pool_mode)))


@breaks("database", "pool_mode = session")
def _pooler_in_transaction_mode(it: Installation) -> None:
    _pooler(it, "transaction")


@breaks("database", "pool_mode = session")
def _pooler_in_statement_mode(it: Installation) -> None:
    _pooler(it, "statement")


@breaks("database: bucket", "in the bucket 'others'")
def _bucket_of_another_database(it: Installation) -> None:
    it.sql("INSERT INTO safelight_installation (name, value) VALUES ('bucket', 'others')")
    it.sql(
        "INSERT INTO safelight_photos"
        " (owner, name, status, title, description, filename, reserved_at)"
        f" VALUES ('a', '{uuid4().hex}', 'pending', '', '', '', now())"
    )


# The store


@breaks("store: address", "nothing listens there")
def _wrong_port_of_the_store(it: Installation) -> None:
    it.set(S3__ENDPOINT_URL="http://127.0.0.1:9")


@breaks("store: address", "can't be resolved")
def _unknown_host_name(it: Installation) -> None:
    """Whether there is a name service, or it doesn't answer."""
    it.set(S3__ENDPOINT_URL="http://store.invalid")


@breaks("store: address", "is not an S3 store")
def _page_in_place_of_the_store(it: Installation) -> None:
    page = StoreAnswer(200, b"<!DOCTYPE html><title>Console</title>")
    it.set(S3__ENDPOINT_URL=it.stack.enter_context(run_fake_store(lambda _: page)).url)


@breaks("store: address", "write http://")
def _https_in_place_of_http(it: Installation) -> None:
    it.set(S3__ENDPOINT_URL=it.store.url.replace("http:", "https:"))


@breaks("store: address", "expects TLS")
def _http_in_place_of_https(it: Installation) -> None:
    url = _tls(it, issued=_now(), trusted=True)
    it.set(S3__ENDPOINT_URL=url.replace("https:", "http:"))


@breaks("store: certificate", "SAFELIGHT_CA_FILE")
def _private_authority(it: Installation) -> None:
    it.set(S3__ENDPOINT_URL=_tls(it, issued=_now(), trusted=False))


@breaks("store: certificate", "renew it")
def _expired_certificate(it: Installation) -> None:
    issued = datetime(2010, 1, 1, tzinfo=UTC)
    it.set(S3__ENDPOINT_URL=_tls(it, issued=issued, trusted=True))


@breaks("store: certificate", "another host name")
def _certificate_for_another_name(it: Installation) -> None:
    url = _tls(it, issued=_now(), trusted=True)
    it.set(S3__ENDPOINT_URL=url.replace("127.0.0.1", "localhost"))


@breaks("store: proxy", "NO_PROXY")
def _proxy_that_does_not_answer(it: Installation) -> None:
    it.variables["HTTP_PROXY"] = "http://user:hush@127.0.0.1:9"
    it.set(S3__ENDPOINT_URL=f"http://{DOMAIN}")


@breaks("store: region", "SAFELIGHT_S3__REGION=us-east-1")
def _wrong_region(it: Installation) -> None:
    it.set(S3__ENDPOINT_URL=it.strict.url, S3__REGION="eu-central-1")


@breaks("store: clock", "This machine's clock is 20 minutes ahead of the store's")
def _wrong_clock(it: Installation) -> None:
    if not FAKETIME.exists():
        install_packages("faketime", ("faketime",))
    it.variables |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+20m"}


@breaks("store: keys", "InvalidAccessKeyId")
def _unknown_access_key(it: Installation) -> None:
    it.set(S3__ACCESS_KEY="AKIAUNKNOWN")


@breaks("store: keys", "SAFELIGHT_S3__SECRET_KEY")
def _wrong_secret_key(it: Installation) -> None:
    it.set(S3__SECRET_KEY="wrong")


@breaks("credentials", "SAFELIGHT_S3__ACCESS_KEY")
def _no_keys(it: Installation) -> None:
    it.unset("S3__SECRET_KEY", "S3__ACCESS_KEY")


@breaks("credentials", "The keys expire at", outcome="warning")
def _keys_that_expire_before_links(it: Installation) -> None:
    it.unset("S3__SECRET_KEY", "S3__ACCESS_KEY")
    end = datetime.fromtimestamp(_now().timestamp() + 3600, UTC)
    (it.folder / "keys.json").write_text(
        json.dumps(
            {
                "Version": 1,
                "AccessKeyId": ACCESS_KEY,
                "SecretAccessKey": SECRET_KEY,
                "SessionToken": "",
                "Expiration": end.isoformat(),
            }
        )
    )
    (it.folder / "config").write_text(
        f"[default]\ncredential_process = cat {it.folder}/keys.json\n"
    )
    it.variables["AWS_CONFIG_FILE"] = str(it.folder / "config")


@breaks("store: bucket", "SAFELIGHT_S3__BUCKET")
def _missing_bucket(it: Installation) -> None:
    it.set(S3__BUCKET="missing")


@breaks("store: write", "s3:PutObject")
def _keys_that_may_only_read(it: Installation) -> None:
    it.set(S3__ACCESS_KEY="reader")


@breaks("store: list", "s3:ListBucket")
def _keys_that_may_not_list(it: Installation) -> None:
    it.set(S3__ACCESS_KEY="writer")


@breaks("store: private", "anyone can read photos without a signature")
def _public_bucket(it: Installation) -> None:
    it.set(S3__BUCKET=PUBLIC)


@breaks("store: CORS", "safelight bucket setup", outcome="warning")
def _pages_that_may_not_upload(it: Installation) -> None:
    """rclone has no CORS."""
    folder = it.folder / "rclone"
    folder.mkdir()
    it.set(S3__ENDPOINT_URL=it.stack.enter_context(run_rclone(folder)).url)
    (folder / "buckets" / BUCKET).mkdir()


@breaks("links: address", "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL")
def _public_endpoint_that_is_not_reached(it: Installation) -> None:
    it.set(S3__PUBLIC_ENDPOINT_URL="http://127.0.0.1:9")


@breaks("links: keys", "SAFELIGHT_S3__SIGNING_ACCESS_KEY")
def _revoked_signing_keys(it: Installation) -> None:
    it.set(S3__SIGNING_ACCESS_KEY="AKIAREVOKED", S3__SIGNING_SECRET_KEY="revoked")


def test_working_installation_has_no_problem(installation: Installation) -> None:
    assert _problems(installation) == []
    _pooler(installation, "session")
    assert _problems(installation) == []


@pytest.mark.parametrize("name", CASES)
def test_first_problem_names_the_cause(installation: Installation, name: str) -> None:
    work, check, outcome, text = CASES[name]
    work(installation)
    problems = _problems(installation)
    assert problems, "it seems to be in order"
    first = problems[0]
    assert (first["check"], first["outcome"]) == (check, outcome), problems
    assert text in first["message"] + first["response"]


def _problems(installation: Installation) -> list[dict[str, str]]:
    return [each for each in installation.examine() if each["outcome"] not in {"ok", "note"}]
