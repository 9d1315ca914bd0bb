"""Client, scheme and host of requests through proxies."""

from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlencode

import httpx
import pytest

from support.app_server import TOKEN, AppServer
from support.raw_http import open_connection

PUBLIC = "https://photos.example"
PROXY = {
    "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "photos.example",
}


@pytest.fixture
def proxied(app_server: AppServer) -> Iterator[httpx.Client]:
    """A client at a service with a public URL, like a proxy on this machine."""
    with app_server.site(auth="token", public_url=PUBLIC).client() as client:
        yield client


def _sign_in(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"token": TOKEN}, headers=headers)


def test_session_has_the_clients_address_and_a_secure_cookie(proxied: httpx.Client) -> None:
    response = _sign_in(proxied, Origin=PUBLIC, **PROXY)
    assert response.status_code == 303
    assert "secure" in response.headers["Set-Cookie"].lower()
    listed = proxied.get("/api/sessions", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert "203.0.113.9" in {session["address"] for session in listed}


def test_cookie_over_https_can_be_set_by_this_host_alone(proxied: httpx.Client) -> None:
    """RFC 6265bis, 4.1.3.2: what browsers require of the prefix."""
    *_, cookie = _sign_in(proxied, Origin=PUBLIC, **PROXY).headers.get_list("Set-Cookie")
    attributes = cookie.split("; ")
    assert attributes[0].startswith("__Host-safelight-")
    assert {"Secure", "Path=/", "HttpOnly", "SameSite=lax"} <= set(attributes)
    assert "domain" not in cookie.lower()
    kept = {"Cookie": attributes[0]}
    assert proxied.get("/api/photos", headers=PROXY | kept).status_code == 200
    gone = proxied.post("/sign-out", headers=PROXY | kept | {"Origin": PUBLIC})
    assert any(
        deleted.startswith("__Host-safelight-") and "Max-Age=0" in deleted and "Secure" in deleted
        for deleted in gone.headers.get_list("Set-Cookie")
    )
    proxied.cookies.clear()
    assert proxied.get("/api/photos", headers=PROXY | kept).status_code == 401


def test_cookie_without_the_prefix_is_replaced_and_the_session_continues(
    proxied: httpx.Client,
) -> None:
    own = str(proxied.base_url).rstrip("/")
    plain = _sign_in(proxied, Origin=own).headers["Set-Cookie"].partition(";")[0]
    proxied.cookies.clear()
    for path in ("/api/photos", "/", "/nothing"):
        answer = proxied.get(path, headers=PROXY | {"Cookie": plain})
        proxied.cookies.clear()
        cookies = answer.headers.get_list("Set-Cookie")
        if path == "/nothing":
            assert cookies == []
            continue
        name, _, secret = plain.partition("=")
        deleted, replaced = cookies
        assert answer.status_code == 200
        assert deleted.startswith(f'{name}=""; ')
        assert "Max-Age=0" in deleted
        assert replaced.startswith(f"__Host-{name}={secret}; ")
    renewed = {"Cookie": f"__Host-{plain}"}
    answer = proxied.get("/api/photos", headers=PROXY | renewed)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)


def test_forwarded_headers_of_an_untrusted_peer_are_ignored(app_server: AppServer) -> None:
    site = app_server.site(auth="token", trusted_proxies=(ip_network("192.0.2.0/24"),))
    with site.client() as client:
        response = _sign_in(client, Origin=site.url, **PROXY)
        assert (response.status_code, "secure" in response.headers["Set-Cookie"].lower()) == (
            303,
            False,
        )
        listed = client.get("/api/sessions", headers={"Authorization": f"Bearer {TOKEN}"}).json()
        assert listed[0]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [
        ("photos.example", None, 200),
        ("photos.example:443", None, 200),
        ("127.0.0.1", "photos.example", 200),
        ("localhost", "photos.example", 200),
        ("127.0.0.1", "evil.example", 400),
        ("127.0.0.1", "photos.example, evil.example", 400),
        ("127.0.0.1", "photos.example/x", 400),
        # What a page at evil.example can send after its name was resolved to this machine:
        ("evil.example", "127.0.0.1", 400),
        ("evil.example", "photos.example", 400),
    ],
)
def test_host_and_forwarded_host_must_both_be_allowed(
    proxied: httpx.Client, host: str, forwarded: str | None, status: int
) -> None:
    headers = {"Host": host} | ({"X-Forwarded-Host": forwarded} if forwarded else {})
    assert proxied.get("/docs", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("origin", "forwarded", "status"),
    [
        (PUBLIC, {}, 303),
        (PUBLIC, PROXY, 303),
        ("http://photos.example", PROXY, 403),
        ("https://evil.example", PROXY, 403),
        ("https://evil.example", {"X-Forwarded-Host": "photos.example"}, 403),
        ("OWN", {}, 303),
        ("OWN", {"X-Forwarded-Proto": "https"}, 403),
    ],
)
def test_origin_must_match_host_and_scheme(
    proxied: httpx.Client, origin: str, forwarded: dict[str, str], status: int
) -> None:
    own = str(proxied.base_url).rstrip("/")
    response = _sign_in(proxied, Origin=origin.replace("OWN", own), **forwarded)
    assert response.status_code == status


def test_proxy_at_another_address_is_trusted_by_its_address_alone(app_server: AppServer) -> None:
    """As with a proxy in another container; here its address is 127.0.0.2."""
    proxy = ip_network("127.0.0.2")
    site = app_server.site(auth="token", public_url=PUBLIC, trusted_proxies=(proxy,))
    lines = [f"{name}: {value}".encode() for name, value in PROXY.items()]
    body = urlencode({"token": TOKEN}).encode()
    for source, origin, status, is_secure in (
        ("127.0.0.2", PUBLIC, 303, True),
        ("127.0.0.3", site.url, 303, False),
        ("127.0.0.1", site.url, 303, False),
        ("127.0.0.2", "https://evil.example", 403, False),
    ):
        with open_connection(site, source=source) as connection:
            connection.head(
                b"POST",
                b"/sign-in",
                b"Origin: " + origin.encode(),
                b"Content-Type: application/x-www-form-urlencoded",
                b"Content-Length: %d" % len(body),
                *lines,
            )
            connection.send(body)
            answer = connection.answer()
        assert answer.status == status
        assert ("__Host-" in answer.headers.get("set-cookie", "")) is is_secure
    with site.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        listed = [session["address"] for session in client.get("/api/sessions").json()]
    assert {"203.0.113.9", "127.0.0.1", "127.0.0.3"} <= set(listed)
