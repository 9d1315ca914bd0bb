"""Which renditions a photo gets, and the digests in their keys."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from safelight import keys
from safelight.imaging import presets
from safelight.models import Fit, ImageFacts, Preset, Rendition
from safelight.settings import RenditionSettings

DIGESTS = [
    "b9794268d807e3a2a8c3575173614fcc",
    "903d7af4825d2b01326cd7b16d0de983",
    "4c3b486704a8c882dcd820e2e8ba39cd",
    "2ab6b81dc72544613103fbe37ffae521",
]
PRESETS = presets.build_presets(RenditionSettings())


def widths(settings: RenditionSettings, width: int) -> list[int]:
    found = presets.presets_for_size(presets.build_presets(settings), width, 20_000)
    return [min(preset.width, width) for preset in found]


def made(preset: Preset, *, name: str = "") -> Rendition:
    return Rendition(
        name=name or preset.name,
        key=keys.rendition("0" * 32, presets.digest(preset)),
        width=preset.width,
        height=1,
        content_type="image/webp",
    )


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
def test_photo_gets_presets_up_to_its_width(width: int, expected: list[int]) -> None:
    assert widths(RenditionSettings(), width) == expected


@given(width=st.integers(1, 30_000), steps=st.sets(st.integers(16, 16_383), min_size=1, max_size=8))
def test_photo_gets_at_least_one_rendition_and_none_wider_than_itself(
    width: int, steps: set[int]
) -> None:
    found = widths(RenditionSettings(widths=tuple(steps)), width)
    assert found
    assert max(found) == min(width, max(steps))
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("width", "size", "expected"),
    [
        (320, (6000, 4000), (320, 213)),
        (640, (6000, 4000), (640, 427)),
        (320, (4000, 6000), (320, 480)),
        (320, (1280, 1), (320, 1)),
        (2560, (5120, 7), (2560, 4)),
        (320, (1, 40_000), (1, 16_383)),
        (320, (3, 20_000), (2, 16_383)),
        (320, (200, 100), (200, 100)),
    ],
)
def test_rendition_size_is_rounded_from_the_size_of_the_image(
    width: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert replace(PRESETS[0], width=width).size_for(*size) == expected


@given(
    width=st.integers(1, 16_383), image=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000))
)
def test_rendition_has_sides_of_at_least_one_and_the_proportions_of_the_image(
    width: int, image: tuple[int, int]
) -> None:
    across, down = replace(PRESETS[0], width=width).size_for(*image)
    assert 1 <= across <= min(width, image[0])
    assert 1 <= down <= min(16_383, image[1])
    scale = min(width / image[0], 16_383 / image[1], 1)
    assert abs(across - image[0] * scale) <= 1
    assert abs(down - image[1] * scale) <= 1


def test_tiny_image_gets_lossless_renditions_with_digests_of_their_own() -> None:
    for size in ((128, 128), (16, 16), (1280, 1)):
        tiny = presets.presets_for_size(PRESETS, *size)
        assert all(preset.lossless for preset in tiny)
    others = presets.presets_for_size(PRESETS, 128, 129)
    assert others == PRESETS[:1]
    assert presets.digest(tiny[0]) != presets.digest(PRESETS[0])


def test_lossy_renditions_of_tiny_images_stay_valid() -> None:
    tiny = presets.presets_for_size(PRESETS, 640, 1)
    assert presets.missing(tiny, [made(PRESETS[0])]) == tiny[1:]
    assert presets.missing(tiny, map(made, tiny)) == ()


def content_types(*size: int, is_jpeg: bool = True) -> list[str]:
    found = presets.presets_for_size(PRESETS, *size, is_jpeg=is_jpeg)
    return [preset.content_type.removeprefix("image/") for preset in found]


def test_jpeg_of_half_a_megapixel_stays_one_where_it_is_not_shrunk() -> None:
    assert content_types(640, 480) == ["webp", "jpeg"]
    assert content_types(240, 640) == ["jpeg"]
    assert content_types(800, 600) == ["webp", "webp", "jpeg"]
    assert content_types(640, 480, is_jpeg=False) == ["webp", "webp"]
    assert content_types(400, 300) == ["webp", "webp"]
    assert content_types(1024, 768) == ["webp", "webp", "webp"]
    assert content_types(4000, 100) == ["webp", "webp", "jpeg", "webp"]  # not below 540 lines


def test_webp_of_a_jpeg_that_was_not_shrunk_stays_valid() -> None:
    before = presets.presets_for_size(PRESETS, 640, 480)
    now = presets.presets_for_size(PRESETS, 640, 480, is_jpeg=True)
    assert presets.missing(now, map(made, before)) == ()
    assert presets.missing(now, map(made, now)) == ()
    assert presets.digest(now[1]) != presets.digest(before[1])
    assert presets.missing(before, map(made, now)) == before[1:]


def test_digests_of_other_renditions_stay() -> None:
    for size in ((4000, 3000), (3000, 4000), (1920, 1080), (6000, 2600)):
        found = presets.presets_for_size(PRESETS, *size)
        for preset, earlier in zip(found, DIGESTS, strict=False):
            assert earlier in presets.valid_digests(preset), (size, preset)
            assert (presets.digest(preset) == earlier) == (preset.name != "w1280")


def test_first_screen_renditions_are_made_at_upload() -> None:
    assert [preset.width for preset in presets.made_at_upload(PRESETS)] == [320, 640, 1280]
    large = presets.build_presets(RenditionSettings(widths=(2000, 3000)))
    assert [preset.width for preset in presets.made_at_upload(large)] == [2000]
    crops = presets.build_presets(
        RenditionSettings.model_validate({"presets": "avatar 96x96 cover upload, w320 320 later"})
    )
    found = presets.presets_for_size(crops, 200, 200)
    assert [preset.name for preset in presets.made_at_upload(found)] == ["avatar", "w320"]


def test_small_renditions_have_higher_default_quality() -> None:
    assert [preset.quality for preset in PRESETS] == [82, 81, 82, 80]
    assert {preset.quality for preset in presets.build_presets(RenditionSettings(quality=60))} == {
        60
    }


def test_digest_depends_on_pixels_but_not_on_name() -> None:
    preset = PRESETS[0]
    assert presets.digest(replace(preset, name="thumb")) == presets.digest(preset)
    others = [replace(preset, width=300), replace(preset, quality=70), replace(preset, effort=3)]
    assert len({presets.digest(each) for each in [preset, *others]}) == 4
    assert keys.rendition("0" * 32, presets.digest(preset)).endswith(presets.digest(preset))


def test_missing_presets_are_found_by_existing_keys() -> None:
    existing = [made(preset) for preset in PRESETS[:2]]
    assert presets.missing(PRESETS, existing) == PRESETS[2:]
    better = presets.build_presets(RenditionSettings(quality=90))
    assert presets.missing(better, existing) == better


@pytest.mark.parametrize("steps", [(), (320, 320), (0,), (20_000,), tuple(range(100, 109))])
def test_invalid_widths_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        RenditionSettings(widths=steps)


def parse(text: str) -> tuple[Preset, ...]:
    """Return the presets of a setting."""
    return presets.build_presets(RenditionSettings.model_validate({"presets": text}))


def test_default_presets_are_made_at_upload_and_on_demand() -> None:
    assert [(preset.name, preset.when) for preset in PRESETS] == [
        ("w320", "upload"),
        ("w640", "upload"),
        ("w1280", "upload"),
        ("w2560", "demand"),
    ]


def test_presets_of_a_setting_are_added_and_replace_those_of_the_same_name() -> None:
    found = {
        preset.name: preset
        for preset in parse("avatar 96x96 cover upload, w2560 2560 later, tall 300x4000, a 5 webp")
    }
    assert list(found) == ["a", "avatar", "tall", "w320", "w640", "w1280", "w2560"]
    avatar = found["avatar"]
    assert (avatar.width, avatar.height, avatar.fit, avatar.when) == (96, 96, "cover", "upload")
    assert found["w2560"].when == "later"
    assert (found["tall"].height, found["tall"].when) == (4000, "demand")
    assert parse("") == PRESETS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("avatar", "write a name and a size"),
        ("avatar 0x96 cover", "1 to 4096 pixels, and not 0"),
        ("avatar 96x0 cover", "1 to 4096 pixels, and not 0"),
        ("avatar 96x20000 cover", "1 to 4096 pixels"),
        ("wide 20000", "1 to 16383 pixels, and not 20000"),
        ("avatar 96x96 contain", "'contain' is not known"),
        ("avatar 96 cover", "cover needs a width and a height"),
        ("avatar 96x96 cover upload later", "'later' is a second when"),
        ("avatar 96x96 cover, avatar 50x50", "two presets have the name avatar"),
        ("original 96x96", "it means the upload"),
        ("Ünder 96", "can't be the name of a preset"),
        ("a/b 96", "can't be the name of a preset"),
        ("a -5", "write a name and a size"),
        ("a 96x96x96", "write a name and a size"),
        ("a 96x96 min=20", "min= is for presets with a width only"),
        ("a 96 min=0", "1 to 16383 pixels, and not 0"),
        ("w320 9 demand, w640 9 demand, w1280 9x9 cover later", "at least one preset must be"),
        (",".join(f"p{n} 9" for n in range(17)), "at most 16"),
    ],
)
def test_invalid_presets_are_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        parse(text)


@given(text=st.text("aw0319x= ,coverdmn", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_list_of_presets_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValidationError:
        return
    assert len({preset.name for preset in found}) == len(found)
    assert any(preset.when != "demand" for preset in found)


@pytest.mark.parametrize(
    ("text", "image", "scaled", "size"),
    [
        ("a 96x96 cover", (4000, 3000), (128, 96), (96, 96)),
        ("a 96x96 cover", (3000, 4000), (96, 128), (96, 96)),
        ("a 300x200 cover", (600, 600), (300, 300), (300, 200)),
        ("a 300x200 cover", (150, 400), (150, 400), (150, 100)),
        ("a 300x200 cover", (150, 50), (150, 50), (75, 50)),
        ("a 300x200 cover", (1, 1), (1, 1), (1, 1)),
        ("a 100x100 cover", (10, 200_000), (1, 16_383), (1, 1)),
        ("a 300x200", (600, 600), (200, 200), (200, 200)),
        ("a 300x200", (600, 100), (300, 50), (300, 50)),
        ("a 300x200", (90, 90), (90, 90), (90, 90)),
    ],
)
def test_box_is_filled_or_fitted_into(
    text: str, image: tuple[int, int], scaled: tuple[int, int], size: tuple[int, int]
) -> None:
    (preset,) = (preset for preset in parse(text) if preset.name == "a")
    assert preset.scaled_size(*image) == scaled
    assert preset.size_for(*image) == size


@given(
    box=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    image=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)),
)
def test_crop_is_inside_the_box_and_the_image_and_has_the_proportions_of_the_box(
    box: tuple[int, int], image: tuple[int, int]
) -> None:
    preset = replace(PRESETS[0], width=box[0], height=box[1], fit=Fit.COVER)
    scaled, size = preset.scaled_size(*image), preset.size_for(*image)
    assert all(1 <= side <= min(limits) for side, *limits in zip(size, box, scaled, image))  # noqa: B905
    if image[0] >= box[0] and image[1] >= box[1] and max(scaled) < 16_383:
        assert size == box
    across, down = size[0] / box[0], size[1] / box[1]
    assert abs(across - down) <= 1 / min(box)


def test_large_rendition_of_a_panorama_has_a_minimum_height() -> None:
    *_, medium, large = PRESETS
    assert medium.size_for(18_000, 1_000) == (9_720, 540)
    assert large.size_for(18_000, 1_000) == (16_383, 910)
    assert large.size_for(16_382, 3_628) == (4_877, 1_080)
    assert large.size_for(3_628, 16_382) == (2_560, 11_560)
    assert large.size_for(5_000, 400) == (5_000, 400)
    (panorama,) = presets.presets_for_size((large,), 16_382, 3_628)
    assert presets.digest(panorama) not in DIGESTS
    before = made(replace(panorama, short_side=None))
    assert before.key.endswith(DIGESTS[3])
    assert presets.missing([panorama], [before]) == (), "from before it had one, it stays valid"


def test_box_that_makes_no_difference_does_not_change_the_digest() -> None:
    (preset,) = (each for each in parse("w2560 2560x4000") if each.name == "w2560")
    (landscape,) = presets.presets_for_size((preset,), 4000, 3000)
    (portrait,) = presets.presets_for_size((preset,), 3000, 6000)
    assert presets.digest(landscape) == DIGESTS[3]
    assert presets.digest(portrait) not in DIGESTS
    crop = replace(preset, width=100, height=100, fit=Fit.COVER)
    (square,) = presets.presets_for_size((crop,), 500, 500)
    assert presets.digest(square) != presets.digest(replace(square, fit=Fit.INSIDE))


def test_small_photo_has_another_rendition_with_all_of_it() -> None:
    small = ImageFacts(format="jpeg", content_type="image/jpeg", width=500, height=400)
    found = presets.choose(PRESETS, small, "w2560")
    assert found is not None
    assert found.name == "w640"
    medium = replace(small, width=2_000)
    assert [each.name for each in presets.presets_for_image(PRESETS, medium)][-1] == "w2560"
    unasked = parse("w2000 2000 later")
    found = presets.choose(unasked, medium, "w2560")
    assert found is not None
    assert found.name == "w2000"
    assert presets.choose(PRESETS, small, "w9") is None


def test_rendition_is_outdated_if_no_preset_names_it_or_it_was_made_otherwise_on_demand() -> None:
    facts = ImageFacts(format="jpeg", content_type="image/jpeg", width=4_000, height=3_000)
    first, *_, large = presets.presets_for_image(PRESETS, facts)
    assert not presets.is_outdated(PRESETS, facts, made(first))
    assert not presets.is_outdated(PRESETS, facts, made(large))
    assert presets.is_outdated(PRESETS, facts, made(first, name="w300"))
    assert presets.is_outdated(PRESETS, facts, made(replace(large, quality=1)))
    assert not presets.is_outdated(PRESETS, facts, made(replace(first, quality=1)))
