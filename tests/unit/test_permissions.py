"""The policies, as far as they can be read: what they name, and what they leave out."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from safelight import keys, permissions


def _statements(policy: permissions.Policy) -> list[dict[str, Any]]:
    parsed = json.loads(permissions.written(policy))
    assert parsed["Version"] == "2012-10-17"
    assert all(each["Effect"] == "Allow" for each in parsed["Statement"])
    return list(parsed["Statement"])


def test_the_service_is_allowed_the_keys_that_are_made_and_no_others() -> None:
    arn = "arn:aws:s3:::pictures"
    resources = [each["Resource"] for each in _statements(permissions.service_policy("pictures"))]
    folders = ("photos", "incoming", "quarantine")
    assert resources == [*(f"{arn}/{folder}/*" for folder in folders), arn]
    name = keys.new_name()
    assert keys.original(name).startswith("photos/")
    assert keys.incoming(name).startswith("incoming/")
    assert keys.quarantined(keys.original(name), date(2026, 1, 1)).startswith("quarantine/")


def test_nothing_is_allowed_by_a_wildcard_of_actions() -> None:
    for policy in (permissions.service_policy("pictures"), permissions.setup_policy("pictures")):
        assert not any("*" in action for each in _statements(policy) for action in each["Action"])


def test_who_sets_up_can_read_and_write_no_object() -> None:
    setup = _statements(permissions.setup_policy("pictures"))
    assert [each["Resource"] for each in setup] == ["arn:aws:s3:::pictures"]
    assert not any("Object" in action for each in setup for action in each["Action"])


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_bucket_is_named_in_its_partition(region: str, partition: str) -> None:
    for each in _statements(permissions.service_policy("pictures", region=region)):
        assert each["Resource"].startswith(f"arn:{partition}:s3:::pictures")


def test_the_documented_policies_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "credentials.md").read_text()
    documented = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert documented == [
        permissions.service_policy("YOUR-BUCKET"),
        permissions.setup_policy("YOUR-BUCKET"),
    ]
