"""The table of stores in docs/stores.md, and how the tests of stores write it."""

import shutil
from pathlib import Path

import pytest

from support.store_matrix import DOCS, ROWS, check_column, read_table

STORES = {"Ceph", "JuiceFS gateway", "rclone", "SeaweedFS", "Swift"}


def test_every_tested_store_has_a_whole_column() -> None:
    columns = read_table(DOCS.read_text())
    assert set(columns) == STORES
    for column in columns.values():
        assert list(column) == list(ROWS)
        assert all(column.values())


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return Path(shutil.copy(DOCS, tmp_path))


def test_outdated_column_fails(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPDATE_STORES", raising=False)
    before = docs.read_text()
    column = read_table(before)["Ceph"]
    check_column("Ceph", column, docs)
    with pytest.raises(AssertionError, match="UPDATE_STORES=1"):
        check_column("Ceph", column | {"range": "no"}, docs)
    with pytest.raises(AssertionError, match="UPDATE_STORES=1"):
        check_column("Another", column, docs)
    assert docs.read_text() == before


def test_column_is_written_on_request(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPDATE_STORES", "1")
    before = docs.read_text()
    column = read_table(before)["Ceph"]
    check_column("Ceph", column | {"range": "no"}, docs)
    check_column("Another", column, docs)
    columns = read_table(docs.read_text())
    assert columns["Ceph"]["range"] == "no"
    assert columns["Another"] == column
    assert set(columns) == STORES | {"Another"}
    assert docs.read_text().partition("<!--")[0] == before.partition("<!--")[0]
