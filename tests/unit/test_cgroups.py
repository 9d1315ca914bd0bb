"""The memory limits of control groups, of both versions, nested and in containers."""

from pathlib import Path

import pytest

from safelight.darkroom.cgroups import memory_limits

UNLIMITED = 9223372036854771712


class Machine:
    """A folder that looks like /proc/self and /sys/fs/cgroup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "proc").mkdir()
        self.mounts = ["22 28 0:20 / /proc rw,nosuid - proc proc rw"]
        self.groups: list[str] = []

    def mount(self, kind: str, root: str = "/", options: str = "rw", name: str = "cgroup") -> None:
        line = (
            f"31 23 0:28 {root} {self.folder / name} rw,relatime shared:9 - {kind} {kind} {options}"
        )
        self.mounts.append(line)

    def write(self, path: str, text: object, name: str = "cgroup") -> None:
        file = self.folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def limits(self) -> list[int]:
        proc = self.folder / "proc"
        (proc / "mountinfo").write_text("\n".join(self.mounts) + "\n")
        (proc / "cgroup").write_text("\n".join(self.groups) + "\n")
        return sorted(memory_limits(proc))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_service_of_systemd_has_the_limit_of_its_unit_and_slice(machine: Machine) -> None:
    machine.mount("cgroup2")
    machine.groups = ["0::/system.slice/safelight.service"]
    machine.write("system.slice/safelight.service/memory.max", 3000)
    machine.write("system.slice/safelight.service/memory.high", "max")
    machine.write("system.slice/memory.high", 2000)
    machine.write("other.slice/memory.max", 1)
    assert machine.limits() == [2000, 3000]


def test_container_has_the_limit_of_the_mounted_group(machine: Machine) -> None:
    machine.mount("cgroup2")
    machine.groups = ["0::/"]
    machine.write("memory.max", 4000)
    assert machine.limits() == [4000]


def test_container_of_version_1_sees_only_its_own_group(machine: Machine) -> None:
    machine.mount("cgroup", root="/docker/0123", options="rw,memory")
    machine.groups = ["5:memory:/docker/0123", "4:cpu:/docker/0123"]
    machine.write("memory.limit_in_bytes", 5000)
    assert machine.limits() == [5000]


def test_group_outside_of_the_mounted_one_is_taken_for_it(machine: Machine) -> None:
    machine.mount("cgroup", root="/docker/0123", options="rw,memory")
    machine.groups = ["5:memory:/../elsewhere"]
    machine.write("memory.limit_in_bytes", 5000)
    assert machine.limits() == [5000]


def test_nested_groups_of_version_1_beside_version_2(machine: Machine) -> None:
    machine.mount("cgroup", options="rw,cpu", name="cpu")
    machine.mount("cgroup", options="rw,memory", name="memory")
    machine.mount("cgroup2", name="unified")
    machine.groups = ["5:memory:/a/b", "1:cpu:/c", "0::/"]
    machine.write("a/b/memory.limit_in_bytes", UNLIMITED, "memory")
    machine.write("a/memory.limit_in_bytes", 6000, "memory")
    machine.write("memory.limit_in_bytes", UNLIMITED, "memory")
    assert machine.limits() == [6000, UNLIMITED, UNLIMITED]


@pytest.mark.parametrize("text", ["max", "", "many"])
def test_no_limit_is_none(machine: Machine, text: str) -> None:
    machine.mount("cgroup2")
    machine.groups = ["0::/a"]
    machine.write("a/memory.max", text)
    assert machine.limits() == []


def test_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert list(memory_limits(tmp_path)) == []
