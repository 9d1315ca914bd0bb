"""Environment variables, without what is around their values by mistake."""

import re
from collections.abc import Mapping
from typing import Final

_by_kubernetes = re.compile(
    r"SAFELIGHT_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)",
    re.ASCII,
).fullmatch
_is_port_of_a_service = re.compile(r"SAFELIGHT_(?:\w+_)?PORT", re.ASCII).fullmatch
_is_service_address = re.compile(r"(?:tcp|udp|sctp)://\S+").fullmatch


_EXACT: Final = frozenset({"SAFELIGHT_TOKEN", "SAFELIGHT_URL"})
"""Variables that other programs read, too, such as scripts with curl. What those send must be what
Safelight expects, so spaces are an error."""


def read_variable(variables: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value without spaces around it; None if it is empty or not set."""
    value = variables.get(name, "")
    plain = value.strip()
    if not plain or is_set_by_kubernetes(name, plain):
        return None
    return value if name in _EXACT else plain


def clean_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are set, as `read_variable` does."""
    values = {name: read_variable(variables, name) for name in variables}
    return {name: value for name, value in values.items() if value is not None}


def is_set_by_kubernetes(name: str, value: str) -> bool:
    """Return whether Kubernetes (or a link of Docker) has set a variable that looks like ours.

    For a Service named `safelight` or `safelight-db`, each container gets the Service's address in
    variables like SAFELIGHT_PORT=tcp://10.0.0.1:8000 and SAFELIGHT_DB_SERVICE_HOST.
    """
    return bool(
        _by_kubernetes(name) or (_is_port_of_a_service(name) and _is_service_address(value))
    )
