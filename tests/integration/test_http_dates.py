"""Capture times: where they come from, changes of one and of many, and the camera's local time."""

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import count

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from support import pictures
from support.app_server import AppServer, Site
from support.metadata import xmp_packet

_widths = count(20)


def upload(client: httpx.Client, name: str = "a.jpg", **fields: str) -> dict[str, object]:
    """Upload a photo of its own. `exif`, `offset` and `xmp` are dates of the picture."""
    exif = pictures.exif(1, fields.pop("exif", None), fields.pop("offset", None))
    packet = xmp_packet(attributes=f'xmp:CreateDate="{fields.pop("xmp", "")}"')
    data = pictures.jpeg(next(_widths), 20, exif=exif, xmp=packet)
    answer = client.post("/api/photos", files={"photo": (name, data)}, data=fields)
    assert answer.status_code == 201, answer.text
    photo: dict[str, object] = answer.json()
    return photo


def taken(photo: dict[str, object]) -> tuple[object, object]:
    return photo["taken_at"], photo["taken_from"]


def month_of(photo: dict[str, object]) -> str:
    """Return the month in which a photo was added. It isn't that of the clock a moment later."""
    return str(photo["created_at"])[:7]


IMPOSSIBLE = {
    "the end of the calendar": ("9999:12:31 23:59:59", None),
    "past the end of the calendar": ("9999:12:31 23:59:59", "-12:00"),
    "year 1": ("0001:01:01 00:00:00", "+14:00"),
    "year 0": ("0000:01:01 00:00:00", None),
    "before photography": ("1799:12:31 23:59:59", None),
    "the future": ("2099:01:01 00:00:00", None),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_date_is_unknown_and_breaks_nothing(client: httpx.Client, name: str) -> None:
    time, offset = IMPOSSIBLE[name]
    photo = upload(client, exif=time, **({"offset": offset} if offset else {}))
    assert taken(photo) == (None, None)
    months = client.get("/api/photos/months")
    assert [each["month"] for each in months.json()] == [month_of(photo)]
    for path in ("/", "/api/photos?order=taken", f"/simple-upload/{photo['id']}"):
        assert client.get(path).status_code == 200


def test_first_source_with_a_possible_date_counts(client: httpx.Client) -> None:
    name, never = "IMG_20180102_030405.jpg", "9999:12:31 23:59:59"
    modified = {"modified_at": "2017-01-02T03:04:05.5+02:00"}
    assert [
        taken(upload(client, name, exif="2020:01:02 03:04:05", xmp="2019-01-02", **modified)),
        taken(upload(client, name, exif=never, xmp="2019-01-02T03:04+05:30", **modified)),
        taken(upload(client, name, exif=never, xmp="2999-01-02", **modified)),
        taken(upload(client, "IMG_20990102_030405.jpg", **modified)),
        taken(upload(client, modified_at="2999-01-02T03:04:05Z")),
        taken(upload(client, modified_at="1970-01-01T00:00:00Z")),
    ] == [
        ("2020-01-02T03:04:05", "exif"),
        ("2019-01-02T03:04:00+05:30", "xmp"),
        ("2018-01-02T03:04:05", "filename"),
        ("2017-01-02T03:04:05.500000+02:00", "file"),
        (None, None),
        (None, None),
    ]


@pytest.mark.parametrize("time", ["yesterday", "2017-01-02T03:04:05", "2017-13-02T03:04:05Z"])
def test_malformed_modified_at_is_refused(client: httpx.Client, time: str) -> None:
    data = pictures.jpeg(19, 19)
    form = client.post("/api/photos", files={"photo": data}, data={"modified_at": time})
    declared = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
    direct = client.post("/api/uploads", json={**declared, "modified_at": time})
    for answer in (form, direct):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert client.get("/api/photos").json() == []


def test_direct_upload_keeps_when_the_file_was_modified(client: httpx.Client) -> None:
    data = pictures.jpeg(18, 18)
    declared = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
    modified = {"modified_at": "2017-01-02T03:04:05-03:30"}
    reserved = client.post("/api/uploads", json=declared | modified).json()
    sent = httpx.put(reserved["url"], content=data, headers=reserved["headers"])
    assert sent.status_code == 200
    photo = client.post(f"/api/uploads/{reserved['id']}/complete").json()
    assert taken(photo) == ("2017-01-02T03:04:05-03:30", "file")


def months_of(client: httpx.Client, order: str = "taken") -> list[tuple[str, int]]:
    months = client.get("/api/photos/months", params={"order": order}).json()
    return [(each["month"], each["count"]) for each in months]


def list_ids(client: httpx.Client, limit: int = 500) -> list[object]:
    ids: list[object] = []
    path = f"/api/photos?order=taken&limit={limit}"
    while path:
        page = client.get(path)
        ids += [photo["id"] for photo in page.json()]
        path = page.links.get("next", {}).get("url", "")
    return ids


def test_months_and_order_are_those_of_the_cameras(client: httpx.Client) -> None:
    angeles = upload(client, exif="2023:12:31 17:30:00", offset="-08:00")
    berlin = upload(client, exif="2024:01:01 00:30:00", offset="+01:00")
    assert months_of(client) == [("2024-01", 1), ("2023-12", 1)]
    assert list_ids(client, 1) == [berlin["id"], angeles["id"]]
    added = Counter(map(month_of, (angeles, berlin)))
    assert months_of(client, "added") == sorted(added.items(), reverse=True)


def test_bursts_are_in_order(client: httpx.Client) -> None:
    ids = {}
    for fraction in ("500", "900", "100"):
        exif = pictures.exif(1, "2024:01:01 00:30:00")
        exif.get_ifd(pictures.EXIF_IFD)[0x9291] = fraction
        data = pictures.jpeg(next(_widths), 20, exif=exif)
        ids[fraction] = client.post("/api/photos", files={"photo": data}).json()["id"]
    assert list_ids(client, 1) == [ids["900"], ids["500"], ids["100"]]


@pytest.mark.parametrize("seed", range(3))
def test_pages_and_months_equal_a_plain_recount(
    app_server: AppServer, site: Site, client: httpx.Client, seed: int
) -> None:
    """Dates with and without offsets, around the ends of months, and some of them shifted."""
    rng = random.Random(seed)
    ids = app_server.insert_photos(site.owner, 60)
    midnight = datetime(2024, 3, 1)  # noqa: DTZ001, a local time
    for id_ in rng.sample(ids, 50):
        local = midnight + timedelta(days=31 * rng.randrange(-9, 9), seconds=rng.randint(-2, 2))
        offset = rng.choice(["", "+14:00", "-12:00", "Z"])
        answer = client.patch(
            f"/api/photos/{id_}", json={"taken_at": f"{local.isoformat()}{offset}"}
        )
        assert answer.status_code == 200
    some = ",".join(map(str, rng.sample(ids, 30)))
    shift = {"shift_seconds": rng.choice([-1, 1, 3600, -86_400])}
    assert client.patch(f"/api/photos?ids={some}", json=shift).status_code == 200
    photos = {photo["id"]: photo for photo in client.get("/api/photos?limit=500").json()}

    def local_time(id_: int) -> datetime:
        time = photos[id_]["taken_at"] or photos[id_]["created_at"]
        return datetime.fromisoformat(time).replace(tzinfo=None)

    assert list_ids(client, 7) == sorted(ids, key=lambda id_: (local_time(id_), id_), reverse=True)
    counted = Counter(f"{local_time(id_):%Y-%m}" for id_ in ids)
    assert months_of(client) == sorted(counted.items(), reverse=True)


def test_date_can_be_changed_and_restored(client: httpx.Client) -> None:
    photo = upload(client, exif="2020:01:02 03:04:05", offset="+02:00")
    path, tag = f"/api/photos/{photo['id']}", client.get("/api/photos").headers["ETag"]
    for given, stored in (
        ("2021-02-03T04:05:06.25", "2021-02-03T04:05:06.250000"),
        ("2021-02-03T04:05:06-03:00", "2021-02-03T04:05:06-03:00"),
        ("2021-02-03 04:05", "2021-02-03T04:05:00"),
    ):
        changed = client.patch(path, json={"taken_at": given}).json()
        assert taken(changed) == (stored, "user")
    assert months_of(client) == [("2021-02", 1)]
    assert client.get("/api/photos").headers["ETag"] != tag
    assert client.get("/api/photos").json() == [changed]
    restored = client.patch(path, json={"taken_at": None, "title": "A"}).json()
    assert restored == photo | {"title": "A"}
    assert client.patch(path, json={"taken_at": None}).json() == restored
    assert months_of(client) == [("2020-01", 1)]


def test_date_of_a_photo_without_one_can_be_changed_and_restored(client: httpx.Client) -> None:
    photo = upload(client)
    path = f"/api/photos/{photo['id']}"
    client.patch(path, json={"taken_at": "2021-02-03"})
    assert months_of(client) == [("2021-02", 1)]
    assert client.patch(path, json={"taken_at": None}).json() == photo
    assert months_of(client) == [(month_of(photo), 1)]


@pytest.mark.parametrize(
    "time",
    [
        *("", "now", "2021-02-30", "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00"),
        *("2999-01-01T00:00:00", "1799-12-31", 5, True, ["2021-02-03"]),
    ],
)
def test_date_that_cannot_be_true_is_refused(client: httpx.Client, time: object) -> None:
    photo = upload(client, exif="2020:01:02 03:04:05")
    for path in (f"/api/photos/{photo['id']}", f"/api/photos?ids={photo['id']}"):
        answer = client.patch(path, json={"taken_at": time})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert client.get("/api/photos").json() == [photo]


def test_many_dates_are_changed_at_once(client: httpx.Client, app_server: AppServer) -> None:
    photos = [upload(client, exif=f"2020:01:02 03:04:0{n}") for n in range(3)]
    (foreign,) = app_server.insert_photos("another-owner", 1)
    first, second, third = (int(str(photo["id"])) for photo in photos)
    unknown = 10**19 - 1
    answer = client.patch(
        f"/api/photos?ids={second},{foreign},{first},{unknown},{second}",
        json={"taken_at": "2021-02-03T04:05:06"},
    )
    assert answer.status_code == 200
    assert answer.json() == {"done": [second, first], "missing": [foreign, unknown]}
    assert months_of(client) == [("2021-02", 2), ("2020-01", 1)]
    client.patch(f"/api/photos?ids={first},{third}", json={"taken_at": None})
    assert taken(client.get(f"/api/photos/{first}").json()) == ("2020-01-02T03:04:00", "exif")
    assert client.get(f"/api/photos/{third}").json() == photos[2]


def test_shift_adds_to_each_date(client: httpx.Client) -> None:
    with_offset = upload(client, exif="2020:01:01 00:00:00", offset="+02:00")
    undated = upload(client)
    ids = f"{with_offset['id']},{undated['id']}"
    tag = client.get("/api/photos").headers["ETag"]
    answer = client.patch(f"/api/photos?ids={ids}", json={"shift_seconds": -1})
    assert answer.json() == {"done": [with_offset["id"], undated["id"]], "missing": []}
    assert client.get("/api/photos").headers["ETag"] != tag
    shifted = client.get(f"/api/photos/{with_offset['id']}").json()
    assert taken(shifted) == ("2019-12-31T23:59:59+02:00", "user")
    assert client.get(f"/api/photos/{undated['id']}").json() == undated
    client.patch(f"/api/photos?ids={ids}", json={"shift_seconds": 86_400})
    client.patch(f"/api/photos?ids={ids}", json={"taken_at": None})
    assert client.get(f"/api/photos/{with_offset['id']}").json() == with_offset


def test_shift_that_makes_a_date_impossible_changes_no_photo(client: httpx.Client) -> None:
    old, new = (
        upload(client, exif="1850:01:01 00:00:00"),
        upload(client, exif="2020:01:01 00:00:00"),
    )
    ids = f"{old['id']},{new['id']}"
    for years in (-100, 50, -170):
        shift = {"shift_seconds": years * 365 * 86_400}
        answer = client.patch(f"/api/photos?ids={ids}", json=shift)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert f"photo {old['id'] if years < 0 else new['id']} " in answer.json()["detail"]
    assert client.get("/api/photos").json() == [new, old]


@pytest.mark.parametrize(
    ("ids", "changes"),
    [
        ("1", {}),
        ("1", {"taken_at": "2021-02-03", "shift_seconds": 1}),
        ("1", {"shift_seconds": None}),
        ("1", {"shift_seconds": 1.5}),
        ("1", {"shift_seconds": 10**18}),
        ("1", {"title": "A"}),
        ("", {"shift_seconds": 1}),
        ("1,", {"shift_seconds": 1}),
        ("1,x", {"shift_seconds": 1}),
        ("-1", {"shift_seconds": 1}),
        (",".join(map(str, range(1, 502))), {"shift_seconds": 1}),
    ],
)
def test_invalid_change_of_many_is_refused(
    client: httpx.Client, ids: str, changes: dict[str, object]
) -> None:
    answer = client.patch("/api/photos", params={"ids": ids}, json=changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_change_of_many_needs_json_and_our_own_origin(client: httpx.Client) -> None:
    content = b'{"shift_seconds": 1}'
    plain = client.patch("/api/photos?ids=1", content=content)
    assert (plain.status_code, plain.json()["code"]) == (415, "unsupported_type")
    origin = {"Origin": "https://evil.example"}
    forged = client.patch("/api/photos?ids=1", json={"shift_seconds": 1}, headers=origin)
    assert (forged.status_code, forged.json()["code"]) == (403, "forbidden_origin")


def test_five_hundred_photos_are_changed_in_one_call(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    ids = app_server.insert_photos(site.owner, 500)
    listed = ",".join(map(str, ids))
    answer = client.patch(f"/api/photos?ids={listed}", json={"taken_at": "2021-02-03"})
    assert answer.json() == {"done": ids, "missing": []}
    assert months_of(client) == [("2021-02", 500)]


def test_impossible_dates_of_version_0_1_break_nothing(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    """It may run beside this version, and stores any date."""
    ids = app_server.insert_photos(site.owner, 3)
    dates = ("9999-12-31T23:59:59.999999", "9999-12-01T00:00:00", "0001-01-01T00:00:00")

    async def write(connection: AsyncConnection) -> None:
        for id_, date in zip(ids, dates, strict=True):
            statement = text(
                "UPDATE safelight_photos SET taken_at = :date, taken_offset = '-12:00',"
                " taken_from = NULL, version = version + 1 WHERE id = :id"
            )
            await connection.execute(statement, {"date": datetime.fromisoformat(date), "id": id_})

    app_server.do(app_server.library.backends.catalog.transaction(write))
    assert months_of(client) == [("9999-12", 2), ("0001-01", 1)]
    assert list_ids(client, 1) == ids
    assert client.get("/").status_code == 200
    photo = client.get(f"/api/photos/{ids[0]}").json()
    assert taken(photo) == (f"{dates[0]}-12:00", "exif")
    everything = ",".join(map(str, ids))
    refused = client.patch(f"/api/photos?ids={everything}", json={"shift_seconds": 86_400})
    assert refused.status_code == 422
    fixed = client.patch(f"/api/photos?ids={everything}", json={"taken_at": "2021-02-03"})
    assert fixed.status_code == 200
    assert months_of(client) == [("2021-02", 3)]
