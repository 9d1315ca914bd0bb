"""The one screen that `serve` prints: where the page is, where the data is, how to get in."""

import safelight
from safelight.cli.lan import addresses
from safelight.cli.qr import rows as qr_rows
from safelight.cli.token import token_file
from safelight.library import Library
from safelight.settings import Settings
from safelight.web.visitors import Visitors


async def screen(settings: Settings, library: Library, visitors: Visitors, port: int) -> str:
    """Put the screen together, with a link that signs in once for each way in."""
    page = f"http://{_in_url(_reachable(settings))}:{port}/"
    rows = [("Page", page), ("Sign in", await _way_in(settings, visitors, page))]
    phone = None
    if elsewhere := addresses(settings):
        rows += [("Network", f"http://{_in_url(each)}:{port}/") for each in elsewhere]
        phone = f"http://{_in_url(elsewhere[0])}:{port}/sign-in?code={await visitors.invite()}"
        rows.append(("On a phone", f"{phone}"))
    rows += [("Later", _later(settings)), ("API", f"{page}docs")]
    engines = library.parts.engines
    rows += engines.facts if engines else [("Data", str(settings.data_dir.absolute()))]
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {text}" for label, text in rows if text]
    code = ["", *qr_rows(phone, drawn_is_dark=False)] if phone else []
    title = f"Safelight {safelight.__version__}"
    return "\n".join(["", title, "", *lines, *code, "", "Ctrl-C ends it."])


def _reachable(settings: Settings) -> str:
    host = settings.host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  shown, not bound


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _way_in(settings: Settings, visitors: Visitors, page: str) -> str:
    if settings.auth == "none":
        return "nobody is asked (SAFELIGHT_AUTH=none): whoever reaches this machine may enter"
    return f"{page}sign-in?code={await visitors.invite()}"


def _later(settings: Settings) -> str:
    if settings.auth == "none":
        return ""
    where = "SAFELIGHT_TOKEN" if settings.token else str(token_file(settings))
    return f"that link opens once, within 15 minutes; the token in {where} always lets you in"
