"""S3 servers from Debian's packages: Ceph's RADOS gateway and OpenStack Swift. They need root."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from support.network import free_port
from support.stores import (
    ACCESS_KEY,
    DOMAIN,
    SECRET_KEY,
    RealStore,
    run_server,
    start_server,
)

SWIFT_PACKAGES = ("swift-proxy", "swift-account", "swift-container", "swift-object")
CEPH_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-common")


def install_packages(program: str, packages: tuple[str, ...]) -> None:
    """Install Debian packages with apt, unless the program is there."""
    if shutil.which(program):
        return
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    for command in (
        ("apt-get", "update", "-qq"),
        ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages),
    ):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=400
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


@contextmanager
def run_swift(folder: Path) -> Iterator[RealStore]:
    """Run Swift's four servers, with one copy of everything in a folder, and s3api."""
    install_packages("swift-proxy-server", SWIFT_PACKAGES)
    etc, node = folder / "etc", folder / "node"
    (node / "d1").mkdir(parents=True)
    etc.mkdir()
    (etc / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_prefix = matrix\nswift_hash_path_suffix = matrix\n"
        "[storage-policy:0]\nname = gold\ndefault = yes\n"
    )
    with ExitStack() as stack:
        for kind in ("object", "container", "account"):
            port = free_port()
            for arguments in (
                ("create", "4", "1", "0"),
                ("add", f"r1z1-127.0.0.1:{port}/d1", "1"),
                ("rebalance",),
            ):
                _run("swift-ring-builder", etc / f"{kind}.builder", *arguments)
            configuration = etc / f"{kind}.conf"
            configuration.write_text(
                _ini(
                    {
                        "DEFAULT": {
                            "devices": node,
                            "mount_check": "false",
                            "bind_ip": "127.0.0.1",
                            "bind_port": port,
                            "workers": 0,
                            "user": "root",
                            "swift_dir": etc,
                            "recon_cache_path": folder,
                            "log_name": kind,
                            "log_address": "/dev/null",
                            "fallocate_reserve": 0,
                            "disable_fallocate": "true",
                        },
                        "pipeline:main": {"pipeline": f"{kind}-server"},
                        f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
                    }
                )
            )
            command = [f"swift-{kind}-server", configuration, "-v"]
            stack.enter_context(start_server(command, folder, log=f"{kind}.log"))
        port = free_port()
        (etc / "proxy.conf").write_text(_swift_proxy(etc, port))
        stack.enter_context(
            run_server(["swift-proxy-server", etc / "proxy.conf", "-v"], folder, port)
        )
        yield RealStore(name="Swift", url=f"http://127.0.0.1:{port}", access_key="matrix:tester")


def _swift_proxy(etc: Path, port: int) -> str:
    filters = {
        name: {"use": f"egg:swift#{egg}"}
        for name, egg in {
            "catch_errors": "catch_errors",
            "proxy-logging": "proxy_logging",
            "listing_formats": "listing_formats",
            "bulk": "bulk",
            "ratelimit": "ratelimit",
            "copy": "copy",
            "slo": "slo",
            "dlo": "dlo",
        }.items()
    }
    filters["cache"] = {"use": "egg:swift#memcache", "memcache_servers": "127.0.0.1:1"}
    filters["tempauth"] = {
        "use": "egg:swift#tempauth",
        "user_matrix_tester": f"{SECRET_KEY} .admin",
    }
    filters["s3api"] = {
        "use": "egg:swift#s3api",
        "storage_domain": DOMAIN,
        "s3_acl": "false",
        "dns_compliant_bucket_names": "true",
        "location": "us-east-1",
        "allow_multipart_uploads": "true",
    }
    pipeline = (
        "catch_errors proxy-logging cache listing_formats bulk ratelimit s3api tempauth copy slo"
        " dlo proxy-server"
    )
    return _ini(
        {
            "DEFAULT": {
                "bind_ip": "127.0.0.1",
                "bind_port": port,
                "workers": 0,
                "user": "root",
                "swift_dir": etc,
                "log_address": "/dev/null",
            },
            "pipeline:main": {"pipeline": pipeline},
            "app:proxy-server": {
                "use": "egg:swift#proxy",
                "allow_account_management": "true",
                "account_autocreate": "true",
            },
            **{f"filter:{name}": options for name, options in filters.items()},
        }
    )


@contextmanager
def run_ceph(folder: Path) -> Iterator[RealStore]:
    """Run a monitor, an OSD whose objects are in memory, and a RADOS gateway."""
    install_packages("radosgw", CEPH_PACKAGES)
    for name in ("mon", "osd", "run"):
        (folder / name).mkdir()
    configuration, port = folder / "ceph.conf", free_port()
    fsid = str(uuid4())
    configuration.write_text(_ceph(folder, fsid, port))
    keyring, map_ = folder / "keyring", folder / "monmap"
    addresses = next(
        line.partition("= ")[2]
        for line in configuration.read_text().splitlines()
        if line.startswith("mon host")
    )
    everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
    _run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", *everything[:3])
    _run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
    _run(
        *("ceph-authtool", keyring, "--gen-key", "-n", "client.rgw"),
        *("--cap", "mon", "allow rw", "--cap", "osd", "allow rwx"),
    )
    _run(
        *("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", "--cap", "mon"),
        *("allow profile osd", "--cap", "osd", "allow *", "--cap", "mgr", "allow profile osd"),
    )
    _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, map_)
    options = ("-c", configuration)
    _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_, "--keyring", keyring, *options)
    with ExitStack() as stack:
        monitor = ["ceph-mon", "-f", "-i", "a", *options]
        stack.enter_context(start_server(monitor, folder, log="mon.log"))
        osd = str(uuid4())
        _run("ceph", *options, "osd", "new", osd)
        _run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, *options)
        _run("ceph", *options, "osd", "crush", "add", "osd.0", "1.0", "host=h", "root=default")
        storage = ["ceph-osd", "-f", "-i", "0", *options]
        stack.enter_context(start_server(storage, folder, log="osd.log"))
        _run(
            *("radosgw-admin", *options, "-n", "client.rgw", "user", "create", "--uid", "matrix"),
            *("--display-name", "matrix", "--access-key", ACCESS_KEY, "--secret", SECRET_KEY),
        )
        gateway: list[object] = ["radosgw", "-f", "-n", "client.rgw", *options]
        stack.enter_context(run_server(gateway, folder, port))
        yield RealStore(name="Ceph", url=f"http://127.0.0.1:{port}")


def _ceph(folder: Path, fsid: str, port: int) -> str:
    v1, v2 = free_port(), free_port()
    return f"""[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd pool default pg autoscale mode = off
log file = {folder}/ceph-$name.log
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd memory target = 939524096
osd journal size = 100
mon cluster log file = {folder}/ceph-cluster.log
mon data avail crit = 1
mon data avail warn = 2
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = {DOMAIN}
rgw enable usage log = false
rgw gc obj min wait = 60
"""


def _run(*command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _ini(sections: Mapping[str, Mapping[str, object]]) -> str:
    return "".join(
        f"[{name}]\n{''.join(f'{key} = {value}' + chr(10) for key, value in options.items())}"
        for name, options in sections.items()
    )
