"""The content of the IAM policies."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from safelight import iam, keys


def _statements(policy: iam.Policy) -> list[dict[str, Any]]:
    parsed = json.loads(iam.to_json(policy))
    assert parsed["Version"] == "2012-10-17"
    assert all(statement["Effect"] == "Allow" for statement in parsed["Statement"])
    return list(parsed["Statement"])


def test_service_policy_covers_our_keys_and_no_others() -> None:
    arn = "arn:aws:s3:::pictures"
    resources = [statement["Resource"] for statement in _statements(iam.service_policy("pictures"))]
    folders = ("photos", "incoming", "quarantine")
    assert resources == [*(f"{arn}/{folder}/*" for folder in folders), arn]
    name = keys.new_storage_id()
    assert keys.original(name).startswith("photos/")
    assert keys.incoming(name).startswith("incoming/")
    assert keys.quarantine_key(keys.original(name), date(2026, 1, 1)).startswith("quarantine/")


def test_no_action_is_a_wildcard() -> None:
    for policy in (iam.service_policy("pictures"), iam.setup_policy("pictures")):
        actions = [action for statement in _statements(policy) for action in statement["Action"]]
        assert not any("*" in action for action in actions)


def test_setup_policy_covers_no_object() -> None:
    setup = _statements(iam.setup_policy("pictures"))
    assert [statement["Resource"] for statement in setup] == ["arn:aws:s3:::pictures"]
    assert not any("Object" in action for statement in setup for action in statement["Action"])


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_bucket_arn_has_its_partition(region: str, partition: str) -> None:
    for statement in _statements(iam.service_policy("pictures", region=region)):
        assert statement["Resource"].startswith(f"arn:{partition}:s3:::pictures")


def test_documented_policies_match_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "credentials.md").read_text()
    documented = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert documented == [
        iam.service_policy("YOUR-BUCKET"),
        iam.setup_policy("YOUR-BUCKET"),
    ]
