"""Photos are moved within an album as a person expects."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from safelight.catalog.albums.order import move

ALBUMS = st.lists(st.integers(1, 30), unique=True, max_size=12)
IDS = st.lists(st.integers(1, 35), max_size=8)


def test_photos_follow_each_other_before_another() -> None:
    assert move([1, 2, 3, 4, 5], [5, 2], 4) == [1, 3, 5, 2, 4]
    assert move([1, 2, 3, 4, 5], [2], None) == [1, 3, 4, 5, 2]
    assert move([1, 2, 3, 4, 5], [3, 2], 2) == [1, 3, 2, 4, 5]
    assert move([1, 2, 3], [9], 1) == [1, 2, 3]


@given(ALBUMS, IDS, st.data())
def test_moving_loses_and_repeats_nothing(
    order: Sequence[int], ids: Sequence[int], data: st.DataObject
) -> None:
    before = data.draw(st.sampled_from([None, *order]))
    moved = [id_ for id_ in dict.fromkeys(ids) if id_ in order]
    result = move(order, ids, before)
    assert sorted(result) == sorted(order)
    assert [id_ for id_ in result if id_ not in moved] == [i for i in order if i not in moved]
    if moved:
        start = result.index(moved[0])
        assert result[start : start + len(moved)] == moved
    if moved and before is not None and before not in moved:
        assert result.index(before) == result.index(moved[-1]) + 1
