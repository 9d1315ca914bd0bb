"""The darkroom without its processes: what may be said to it, and how much it takes on."""

import json
from datetime import timedelta

import pytest

from safelight.darkroom import messages
from safelight.darkroom.capacity import Capacity
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.queue import Queue
from safelight.formats import JPEG
from safelight.settings import LimitSettings

GIB = 1 << 30


FACTS = {"width": 4, "height": 3, "frames": 1, "taken_at": None, "offset_minutes": None}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        {"facts": FACTS | {"width": 0}},
        {"facts": FACTS | {"width": "4"}},
        {"facts": FACTS | {"width": 2**31}},
        {"facts": FACTS | {"width": 120_000_001, "height": 1}},
        {"facts": FACTS | {"frames": 1_001}},
        {"facts": FACTS | {"frames": 0}},
        {"facts": FACTS | {"taken_at": "soon"}},
        {"facts": FACTS | {"taken_at": "2020-01-01T00:00:00+01:00"}},
        {"facts": FACTS | {"offset_minutes": 10_000}},
        {"facts": FACTS | {"format": "svg"}},
        {"facts": FACTS, "sha256": "A" * 64},
        {"facts": FACTS, "sha256": "a" * 64 + "\n"},
        {"refusal": {"code": "error", "message": "?"}},
        {"refusal": {"code": "corrupt_image", "message": "caf\u00e9"}},
        {"refusal": {"code": "corrupt_image", "message": "two\nlines"}},
        {"refusal": {"code": "corrupt_image", "message": "x" * 201}},
    ],
)
def test_a_child_s_word_is_not_taken_for_more_than_it_can_say(
    answer: bytes | dict[str, object],
) -> None:
    message = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    limits = Darkroom(LimitSettings()).limits
    with pytest.raises(messages.BadAnswer):
        messages.read_inspection(message, JPEG, limits)


@pytest.mark.parametrize(
    ("cores", "memory", "expected"),
    [
        (8, 64 * GIB, Capacity(children=8, beside_readers=7, address_space=3 * GIB)),
        (8, 7 * GIB, Capacity(children=2, beside_readers=2, address_space=3 * GIB)),
        (8, 2 * GIB, Capacity(children=1, beside_readers=1, address_space=2 * GIB)),
        (2, 64 * GIB, Capacity(children=2, beside_readers=1, address_space=3 * GIB)),
        (1, 64 * GIB, Capacity(children=1, beside_readers=1, address_space=3 * GIB)),
    ],
)
def test_as_many_children_as_cores_and_memory_allow(
    cores: int, memory: int, expected: Capacity
) -> None:
    assert Capacity.of(cores=cores, memory=memory, decode_memory=3 * GIB) == expected


def test_this_machine_has_room_for_a_child() -> None:
    here = Capacity.here(256 << 20)
    assert here.children >= 1
    assert here.address_space <= 256 << 20


async def test_the_longer_the_queue_and_the_jobs_the_later_to_come_back() -> None:
    queue = Queue(servers=2, max_waiting=100)
    queue._average, queue.waiting = 1.0, 4
    assert queue.patience() == timedelta(seconds=3)
    queue._average, queue.waiting = 0.01, 0
    assert queue.patience() == timedelta(seconds=1)
    queue._average, queue.waiting = 20.0, 256
    assert queue.patience() == timedelta(seconds=300)
