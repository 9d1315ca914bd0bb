"""The priority of a decoder, on systems that schedule by session and on others."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from safelight.darkroom.child import priority

FIRST_NAMESPACE = 0xEFFFFFFB
V1 = "9:name=systemd:/\n5:cpu,cpuacct:{}\n4:cpuset:/else\n0::/else\n"
V2 = "0::{}\n"


class Autogroup:
    """A session's niceness, as a file; the first `busy` writes fail."""

    def __init__(self, busy: int = 0, refusal: int = errno.EAGAIN) -> None:
        self.busy = busy
        self.refusal = refusal
        self.written: list[str] = []

    def write_text(self, text: str) -> None:
        if self.busy:
            self.busy -= 1
            raise OSError(self.refusal, os.strerror(self.refusal))
        self.written.append(text)


@pytest.fixture
def classes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The scheduling classes that were requested; none of them is applied."""
    requested: list[int] = []
    monkeypatch.setattr(os, "nice", lambda by: by + 2)
    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda _pid, policy, _param: requested.append(policy)
    )
    monkeypatch.setattr(priority, "_PAUSE", 0)
    return requested


def fake_system(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    enabled: str = "1\n",
    namespace: int = FIRST_NAMESPACE,
    control_groups: str = V1.format("/"),
) -> Autogroup:
    """Pretend to run on a system where, by default, sessions are scheduling groups."""
    for name, text in (("_ENABLED", enabled), ("_CGROUPS", control_groups)):
        (folder / name).write_text(text)
        monkeypatch.setattr(priority, name, folder / name)
    number = SimpleNamespace(st_ino=namespace)
    monkeypatch.setattr(priority, "_NAMESPACE", SimpleNamespace(stat=lambda: number))
    group = Autogroup()
    monkeypatch.setattr(priority, "_AUTOGROUP", group)
    return group


@pytest.mark.parametrize("control_groups", [V1.format("/"), V2.format("/")])
def test_decoder_is_idle_class_where_sessions_are_groups(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int], control_groups: str
) -> None:
    group = fake_system(monkeypatch, tmp_path, control_groups=control_groups)
    priority.set_priority(background=True)
    assert group.written == ["12"]
    assert classes == [os.SCHED_IDLE]


def test_decoder_of_a_client_keeps_its_niceness(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int]
) -> None:
    group = fake_system(monkeypatch, tmp_path)
    priority.set_priority(background=False)
    assert group.written == []
    assert classes == [os.SCHED_BATCH]


@pytest.mark.parametrize(
    "difference",
    [
        {"enabled": "0\n"},
        {"namespace": 4026532574},
        {"control_groups": V1.format("/system.slice/safelight.service")},
        {"control_groups": V2.format("/system.slice/safelight.service")},
        {"control_groups": "9:name=systemd:/\n"},
    ],
    ids=str,
)
def test_decoder_only_gets_niceness_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    classes: list[int],
    difference: dict[str, str | int],
) -> None:
    group = fake_system(monkeypatch, tmp_path, **difference)  # type: ignore[arg-type]
    priority.set_priority(background=True)
    assert group.written == ["12"]
    assert classes == []


def test_rate_limited_write_is_retried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int]
) -> None:
    group = fake_system(monkeypatch, tmp_path)
    group.busy = 4
    priority.set_priority(background=True)
    assert group.written == ["12"]
    assert classes == [os.SCHED_IDLE]


@pytest.mark.parametrize(
    ("busy", "refusal"), [(5, errno.EAGAIN), (1, errno.EACCES), (1, errno.ENOENT)]
)
def test_decoder_is_not_idle_class_if_session_niceness_fails(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    classes: list[int],
    busy: int,
    refusal: int,
) -> None:
    group = fake_system(monkeypatch, tmp_path)
    group.busy, group.refusal = busy, refusal
    priority.set_priority(background=True)
    assert group.written == []
    assert classes == []


def test_system_without_autogroups_is_supported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int]
) -> None:
    fake_system(monkeypatch, tmp_path)
    monkeypatch.setattr(priority, "_ENABLED", tmp_path / "none")
    priority.set_priority(background=True)
    assert classes == []
