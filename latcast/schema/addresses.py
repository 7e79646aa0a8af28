"""Addresses of services as people write them: out of a browser, an env file, or another tool's settings."""

import re
from urllib.parse import urlsplit, urlunsplit

from latcast.schema.errors import InputError
from latcast.schema.quoting import unquoted

__all__ = ["service_address"]

_SCHEMES = ("http", "https")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/*)")
_PAGES = re.compile(r"/(?:v1|docs|redoc|openapi\.json)/*$")
"""Ends of addresses at which a service has its API or describes it: calls begin in front of them."""


def service_address(written: str) -> str:
    """The address that calls begin with.

    Args:
        written: with or without `http://`, as a page of the service has it, or with the version of the API.

    Raises:
        InputError: it is none of http or https.
    """
    text = unquoted(written)
    found = _SCHEME.match(text)
    if found is None or not (found["slashes"] or found["scheme"].lower() in _SCHEMES):  # host:port has a colon, too
        text = f"http://{text}"
    elif found["scheme"].lower() not in _SCHEMES or len(found["slashes"]) != 2:
        raise InputError(f"The address {written!r} cannot be used: write it as http://127.0.0.1:8321.")
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"The address {written!r} cannot be used: it is no URL.") from error
    if not parts.hostname:
        raise InputError(f"The address {written!r} cannot be used: write it as http://127.0.0.1:8321.")
    return urlunsplit((parts.scheme, parts.netloc, _PAGES.sub("", parts.path).rstrip("/"), "", ""))
