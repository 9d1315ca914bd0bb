"""A 404 names what is missing: a photo, a job or a session."""

import httpx
import pytest


@pytest.mark.parametrize("id_", ["999999", "abc", "-1", "0", str(2**63)])
@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("GET", "/api/photos/{}", "photo"),
        ("POST", "/api/jobs/{}/retry", "job"),
        ("DELETE", "/api/sessions/{}", "session"),
    ],
)
def test_404_names_the_kind_of_the_missing_resource(
    client: httpx.Client, method: str, path: str, noun: str, id_: str
) -> None:
    response = client.request(method, path.format(id_))
    assert response.status_code == 404
    problem = response.json()
    assert (problem["code"], problem["detail"]) == ("not_found", f"There is no such {noun}.")
