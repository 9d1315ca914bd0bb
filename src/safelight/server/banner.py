"""The text that `serve` prints when it is ready: addresses, sign-in links and data directory."""

from urllib.parse import urlsplit

import safelight
from safelight.library import Library
from safelight.qr import qr_lines
from safelight.server.lan import has_remote_proxies, lan_addresses
from safelight.server.listeners import ANY_ADDRESS
from safelight.settings import Settings
from safelight.token_file import token_file
from safelight.web.auth.auth import Authenticator


async def make_banner(
    settings: Settings, library: Library, authenticator: Authenticator, port: int
) -> str:
    """Return the banner, with a single-use sign-in link for this machine and one for a phone."""
    host = settings.host.strip("[]")
    local = f"http://{_bracket(ANY_ADDRESS.get(host, host))}:{port}{settings.public_path}/"
    page = f"{settings.public_url}/" if settings.public_url else local
    rows = [("Page", page)]
    if page != local:
        rows.append(("Listening on", local))
    if settings.auth == "none":
        rows.append(
            ("Sign in", "not required (SAFELIGHT_AUTH=none): anyone on this machine has access")
        )
    else:
        rows.append(("Sign in", await _sign_in_link(authenticator, page)))
    qr_code: list[str] = []
    network = [
        f"http://{_bracket(address)}:{port}{settings.public_path}/"
        for address in lan_addresses(settings)
    ]
    rows += [("Network", address) for address in network]
    if settings.auth != "none" and (network or settings.public_url):
        phone = await _sign_in_link(authenticator, page if settings.public_url else network[0])
        qr_code = ["", *qr_lines(phone)]
        rows.append(("On a phone", phone))
    if settings.auth != "none":
        location = "SAFELIGHT_TOKEN" if settings.token else str(token_file(settings))
        note = f"each link works once, within 15 minutes; later, use the token in {location}"
        rows.append(("Sign in later", note))
    rows.append(("API", f"{page}docs"))
    engines = library.backends.engines
    if engines and has_remote_proxies(settings):
        store_port = urlsplit(engines.s3_endpoint_url).port
        rows += [
            ("Store for proxies", f"http://{_bracket(address)}:{store_port}")
            for address in lan_addresses(settings)
        ]
    rows += engines.summary if engines else [("Data", str(settings.data_dir.absolute()))]
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {text}" for label, text in rows]
    title = f"Safelight {safelight.__version__}"
    return "\n".join(["", title, "", *lines, *qr_code, "", "Press Ctrl-C to stop."])


async def _sign_in_link(authenticator: Authenticator, page: str) -> str:
    return f"{page}sign-in?code={await authenticator.create_sign_in_code()}"


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
