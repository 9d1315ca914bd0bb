"""Headers that browsers send with requests from another site's page."""

from support.app_server import ORIGIN, Site

FOREIGN = "http://evil.example"

REFUSED = [
    {"Origin": FOREIGN},
    {"Origin": "null"},
    {"Origin": f"{ORIGIN}.evil.example"},
    {"Origin": ORIGIN.replace("http:", "https:")},
    {"Origin": ORIGIN.rpartition(":")[0]},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:1"},
    {"Origin": FOREIGN, "Referer": "OWN/"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "file://"},
    {"Origin": "x"},
    {"Referer": f"{FOREIGN}/page"},
    {"Referer": "http://[broken"},
    {"Referer": f"http://evil.example/{ORIGIN}"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "OWN", "Sec-Fetch-Site": "same-site"},
    {"Origin": "OTHER-SCHEME"},
    {"Referer": "OTHER-SCHEME/"},
    {"Origin": "OTHER-SCHEME", "Sec-Fetch-Site": "none"},
]

CROSS_ORIGIN_READS = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Referer": f"{FOREIGN}/page"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": FOREIGN},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "null"},
    {"Origin": FOREIGN},
]
"""Headers by which a page of another origin embeds, fetches or frames."""


def fill_in_origin(headers: dict[str, str], site: Site) -> dict[str, str]:
    other = site.url.replace("http:", "https:")
    return {
        name: value.replace("OWN", site.url).replace("OTHER-SCHEME", other)
        for name, value in headers.items()
    }
