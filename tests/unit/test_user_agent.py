"""What User-Agent headers name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.web.auth.user_agent import Device, parse_user_agent

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"


@pytest.mark.parametrize(
    ("header", "browser", "system"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Firefox/131.0", "Firefox", "Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "Chrome", "Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {_CHROME} Safari/537.36 Edg/131.0", "Edge", "Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {_CHROME} Safari/537.36 OPR/115.0", "Opera", "Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME} Safari/537.36", "Chrome", "ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 14) {_CHROME} Mobile Safari/537.36", "Chrome", "Android"),
        (
            "(Linux; Android 14) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        ("Mozilla/5.0 (Android 14; Mobile; rv:131.0) Firefox/131.0", "Firefox", "Android"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/17.5 Safari/605.1",
            "Safari",
            "macOS",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {_WEBKIT} Safari/604.1",
            "Safari",
            "iPhone",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) {_WEBKIT} CriOS/131.0 Safari/604.1",
            "Chrome",
            "iPad",
        ),
        ("curl/8.5.0", "curl", None),
        ("", None, None),
        ("<script>alert(1)</script>", None, None),
    ],
)
def test_browser_and_system_are_named(header: str, browser: str | None, system: str | None) -> None:
    assert parse_user_agent(header) == Device(browser, system)


@given(st.text(max_size=400))
def test_no_text_of_the_client_is_in_the_names(header: str) -> None:
    device = parse_user_agent(header)
    assert {device.browser, device.system} <= {
        *(None, "Edge", "Opera", "Samsung Internet", "Vivaldi", "Yandex Browser", "DuckDuckGo"),
        *("Firefox", "Chrome", "Safari", "curl", "iPhone", "iPad", "Android", "ChromeOS"),
        *("Windows", "macOS", "Linux"),
    }
