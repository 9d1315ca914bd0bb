"""The contact for reports of vulnerabilities, at its well-known address."""

from datetime import UTC, datetime, timedelta

from support.app_server import AppServer

PATH = "/.well-known/security.txt"


def test_configured_contact_is_shown_to_everyone(app_server: AppServer) -> None:
    contact, url = "mailto:security@photos.example", "https://photos.example"
    site = app_server.site(auth="token", security_contact=contact, public_url=url)
    with site.client() as client:
        response = client.get(PATH)
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "text/plain; charset=utf-8",
    )
    fields = dict(line.split(": ", 1) for line in response.text.splitlines())
    expires = datetime.fromisoformat(fields.pop("Expires"))
    assert fields == {"Contact": contact, "Canonical": f"{url}{PATH}"}
    assert timedelta(days=30) < expires - datetime.now(UTC) < timedelta(days=365)


def test_without_a_contact_there_is_no_file(app_server: AppServer) -> None:
    with app_server.site(auth="token").client() as client:
        assert client.get(PATH).status_code == 404
