"""Headers of a call, one at a time: building a mapping of all of them costs more than most calls read of them."""

from starlette.types import Scope

__all__ = ["bearer", "header"]


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name, or None.

    Args:
        scope: of an HTTP call.
        name: in small letters.
    """
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def bearer(authorization: str) -> str | None:
    """The key in an Authorization header; None where it holds none."""
    scheme, _, secret = authorization.partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None
