"""Skip these tests unless root runs them and may mount file systems."""

import os

import pytest

from support.disk import can_be_mounted


def pytest_configure() -> None:
    if os.geteuid() != 0 or not can_be_mounted():
        pytest.exit("tests/system must be run by root, who may mount a file system", returncode=1)
