"""What the service refuses and why; extends the tree of `latcast.schema.errors`.

```
LatcastError
└── ServiceError
    ├── AuthenticationError   401  no key, or none that is valid
    ├── ForbiddenError        403  a key whose scope does not reach this far
    ├── NotFoundError         404  nothing of that name
    ├── ConflictError         409  the state of things does not allow it
    │   └── LeaseLostError    409  the lease ran out, or somebody else holds it
    ├── BodyTooLargeError     413
    ├── RateLimitedError      429  says after how many seconds to try again
    └── UnavailableError      503  database or disk cannot be reached now
```

The client raises the same classes for the same statuses. Standard library only.
"""

from typing import ClassVar

from latcast.schema import LatcastError

__all__ = [
    "AuthenticationError",
    "BodyTooLargeError",
    "ConflictError",
    "ForbiddenError",
    "LeaseLostError",
    "NotFoundError",
    "RateLimitedError",
    "ServiceError",
    "UnavailableError",
]


class ServiceError(LatcastError):
    """A refusal of the service."""

    status: ClassVar[int] = 500


class AuthenticationError(ServiceError):
    """No key was given, or one that is unknown or revoked."""

    status = 401


class ForbiddenError(ServiceError):
    """The key's scope does not allow the call."""

    status = 403


class NotFoundError(ServiceError):
    """Nothing has that name."""

    status = 404


class ConflictError(ServiceError):
    """The state of things does not allow the call."""

    status = 409


class LeaseLostError(ConflictError):
    """The lease ran out and the job went back, or on to somebody else."""


class BodyTooLargeError(ServiceError):
    """The request's body exceeds its limit."""

    status = 413


class RateLimitedError(ServiceError):
    """Too many calls.

    Args:
        retry_after_s: seconds until the next call is allowed.
    """

    status = 429

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class UnavailableError(ServiceError):
    """Something that the service stands on cannot be reached now; trying again later may help."""

    status = 503
