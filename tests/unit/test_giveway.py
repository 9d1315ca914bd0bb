"""Giving way: in whose favour it is decided what a child's session is to the scheduler."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from safelight.darkroom import giveway

OUTERMOST = 0xEFFFFFFB
V1 = "9:name=systemd:/\n5:cpu,cpuacct:{}\n4:cpuset:/else\n0::/else\n"
V2 = "0::{}\n"


class Group:
    """What is written to a session's niceness; first it refuses `busy` times."""

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
    """The scheduling classes that were asked for, none of them really."""
    asked: list[int] = []
    monkeypatch.setattr(os, "nice", lambda by: by + 2)
    monkeypatch.setattr(os, "sched_setscheduler", lambda _pid, policy, _param: asked.append(policy))
    monkeypatch.setattr(giveway, "_PAUSE", 0)
    return asked


def machine(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    enabled: str = "1\n",
    namespace: int = OUTERMOST,
    control_groups: str = V1.format("/"),
) -> Group:
    """A machine on which sessions are groups, if nothing else is said."""
    for name, text in (("_ENABLED", enabled), ("_CGROUPS", control_groups)):
        (folder / name).write_text(text)
        monkeypatch.setattr(giveway, name, folder / name)
    number = SimpleNamespace(st_ino=namespace)
    monkeypatch.setattr(giveway, "_NAMESPACE", SimpleNamespace(stat=lambda: number))
    group = Group()
    monkeypatch.setattr(giveway, "_GROUP", group)
    return group


@pytest.mark.parametrize("control_groups", [V1.format("/"), V2.format("/")])
def test_where_sessions_are_groups_a_child_runs_when_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int], control_groups: str
) -> None:
    group = machine(monkeypatch, tmp_path, control_groups=control_groups)
    giveway.give_way()
    assert group.written == ["12"]
    assert classes == [os.SCHED_IDLE]


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
def test_elsewhere_it_keeps_the_share_of_its_niceness(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    classes: list[int],
    difference: dict[str, str | int],
) -> None:
    group = machine(monkeypatch, tmp_path, **difference)  # type: ignore[arg-type]  # by its name
    giveway.give_way()
    assert group.written == ["12"]
    assert classes == []


def test_a_system_that_takes_few_changes_at_a_time_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int]
) -> None:
    group = machine(monkeypatch, tmp_path)
    group.busy = 4
    giveway.give_way()
    assert group.written == ["12"]
    assert classes == [os.SCHED_IDLE]


@pytest.mark.parametrize(
    ("busy", "refusal"), [(5, errno.EAGAIN), (1, errno.EACCES), (1, errno.ENOENT)]
)
def test_a_child_whose_session_is_not_made_nice_does_not_run_as_if_it_were(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    classes: list[int],
    busy: int,
    refusal: int,
) -> None:
    group = machine(monkeypatch, tmp_path)
    group.busy, group.refusal = busy, refusal
    giveway.give_way()
    assert group.written == []
    assert classes == []


def test_a_system_without_such_groups_is_no_hindrance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: list[int]
) -> None:
    machine(monkeypatch, tmp_path)
    monkeypatch.setattr(giveway, "_ENABLED", tmp_path / "none")
    giveway.give_way()
    assert classes == []
