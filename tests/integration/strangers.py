"""What browsers send along with a request from somebody else's page."""

from integration.served import ORIGIN, Site

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
]


def own(headers: dict[str, str], site: Site) -> dict[str, str]:
    return {name: value.replace("OWN", site.url) for name, value in headers.items()}
