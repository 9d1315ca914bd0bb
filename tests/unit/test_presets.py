"""The ladder: which renditions a photo gets, and what their keys are made of."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from safelight import keys
from safelight.renditions import presets
from safelight.settings import RenditionSettings

LADDER = presets.ladder(RenditionSettings())


def widths(settings: RenditionSettings, width: int) -> list[int]:
    found = presets.steps(presets.ladder(settings), width)
    return [min(preset.width, width) for preset in found]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, [1]),
        (319, [319]),
        (320, [320]),
        (321, [320, 321]),
        (1280, [320, 640, 1280]),
        (2000, [320, 640, 1280, 2000]),
        (2560, [320, 640, 1280, 2560]),
        (12_000, [320, 640, 1280, 2560]),
    ],
)
def test_a_photo_gets_the_steps_up_to_its_own_width(width: int, expected: list[int]) -> None:
    assert widths(RenditionSettings(), width) == expected


@given(width=st.integers(1, 30_000), steps=st.sets(st.integers(16, 16_383), min_size=1, max_size=8))
def test_there_is_always_one_and_never_one_that_is_wider_than_the_photo(
    width: int, steps: set[int]
) -> None:
    found = widths(RenditionSettings(widths=tuple(steps)), width)
    assert found
    assert max(found) == min(width, max(steps))
    assert found == sorted(set(found))


def test_what_the_first_screen_needs_is_made_at_once() -> None:
    assert [preset.width for preset in presets.at_once(LADDER)] == [320, 640]
    large = presets.ladder(RenditionSettings(widths=(1000, 2000)))
    assert [preset.width for preset in presets.at_once(large)] == [1000]


def test_small_ones_are_finer_unless_one_quality_is_set_for_all() -> None:
    assert [preset.quality for preset in LADDER] == [82, 81, 81, 80]
    assert {preset.quality for preset in presets.ladder(RenditionSettings(quality=60))} == {60}


def test_the_digest_changes_with_the_pixels_and_not_with_the_name() -> None:
    one = LADDER[0]
    assert presets.digest(replace(one, name="thumb")) == presets.digest(one)
    others = [replace(one, width=300), replace(one, quality=70), replace(one, effort=3)]
    assert len({presets.digest(preset) for preset in [one, *others]}) == 4
    assert keys.rendition("0" * 32, presets.digest(one)).endswith(presets.digest(one))


def test_what_is_missing_is_told_by_the_keys_that_are_there() -> None:
    there = [keys.rendition("0" * 32, presets.digest(preset)) for preset in LADDER[:2]]
    assert presets.missing(LADDER, there) == LADDER[2:]
    better = presets.ladder(RenditionSettings(quality=90))
    assert presets.missing(better, there) == better


@pytest.mark.parametrize("steps", [(), (320, 320), (0,), (20_000,), tuple(range(100, 109))])
def test_what_is_no_ladder_is_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        RenditionSettings(widths=steps)
