"""Keys, enrolment tokens, and who may call.

Keys and tokens are 256 random bits, shown once; only their SHA-256 is kept, which is enough for secrets that nobody
can guess. While there is no admin or client key (revoked ones count) and keys are not required, the service is
open: everybody may call everything, and it listens on loopback only.
"""

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from sqlalchemy import ColumnElement, Engine, Float, Row, Select, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError, ConflictError, ForbiddenError, NotFoundError
from latcast.schema import InputError
from service.db.pagination import Order, Page, fetch_page
from service.db.tables import Agent, ApiKey, EnrolmentToken
from service.db.visibility import ALL_ROWS
from service.settings import Settings

__all__ = [
    "Principal",
    "Scope",
    "agent_id_of",
    "agent_of",
    "authenticate",
    "check_bind",
    "create_enrolment_token",
    "create_key",
    "digest_of",
    "find_token",
    "find_unused_key",
    "is_loopback",
    "keys_page",
    "keys_required",
    "note_first_use",
    "replace_secret",
    "require_scope",
    "require_valid",
    "revoke_key",
    "rotate_key",
    "valid_keys",
]

Scope = Literal["admin", "agent", "client", "measure"]
"""What keys allow: all but agents' work; an agent's work; reading and asking; that, and having things measured."""
REFUSED = "The key is unknown or was revoked, or its time is over; ask an admin for a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls.

    Args:
        scope: what the key allows; None on an open service, where everything is allowed.
        key_id: of the key, None without one.
        agent_id: the agent whose key it is.
        device_id: the agent's device.
        expires_unix_s: when the key ends; None where it does not.
        first_call: whether no call came with this agent's key before; `note_first_use` takes note of this one.
    """

    scope: Scope | None = None
    key_id: str | None = None
    agent_id: str | None = None
    device_id: str | None = None
    expires_unix_s: float | None = None
    first_call: bool = False

    @property
    def is_expired(self) -> bool:
        """Whether the key's time is over."""
        return self.expires_unix_s is not None and self.expires_unix_s <= time.time()

    @property
    def is_admin(self) -> bool:
        """Whether the caller may do everything, as everybody may on an open service."""
        return self.scope in (None, "admin")


def _new_secret() -> str:
    return f"latcast_{secrets.token_urlsafe(32)}"


def digest_of(secret: str) -> str:
    """What is kept of a key or token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _valid(now: float | ColumnElement[float]) -> ColumnElement[bool]:
    """Keys that were not revoked and have not expired."""
    lives = or_(ApiKey.expires_unix_s.is_(None), ApiKey.expires_unix_s > now)
    return and_(ApiKey.revoked_unix_s.is_(None), lives)


def _admin_keys() -> Select[str]:
    return select(ApiKey.id).where(ApiKey.scope == "admin", _valid(time.time())).limit(1)


def create_key(
    session: Session,
    *,
    scope: Scope,
    name: str = "",
    owner: str | None = None,
    expires_unix_s: float | None = None,
    max_open_jobs: int | None = None,
    max_jobs_per_day: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key: its row and the secret, which cannot be had again.

    Args:
        session: in a transaction.
        scope: what it allows.
        name: what it is for.
        owner: who answers for it.
        expires_unix_s: when it ends; None where it does not.
        max_open_jobs: most jobs of the key that wait or are worked on; None without a limit.
        max_jobs_per_day: most jobs that the key makes within 24 hours; None without a limit.

    Raises:
        ConflictError: no admin's key while there is none; it would lock everybody out of the admin's calls.
    """
    if scope in ("client", "measure") and session.scalar(_admin_keys()) is None:
        raise ConflictError("Make an admin key first: with the first key the service stops being open to everybody.")
    secret = _new_secret()
    may_measure = scope == "measure"
    key = ApiKey(
        digest=digest_of(secret),
        scope="client" if may_measure else scope,
        may_measure=may_measure,
        name=name,
        owner=owner,
        expires_unix_s=expires_unix_s,
        max_open_jobs=max_open_jobs,
        max_jobs_per_day=max_jobs_per_day,
    )
    session.add(key)
    session.flush()
    return key, secret


def rotate_key(session: Session, key_id: str, *, overlap_s: float) -> tuple[ApiKey, str]:
    """A new key in place of an old one, which ends after a while: programs change over in between.

    Args:
        session: in a transaction.
        key_id: of the old key; the new one has its scope, name, owner and limits, and as long a life.
        overlap_s: how long the old one goes on, in s.

    Raises:
        NotFoundError: there is no such key.
        ConflictError: it is an agent's, was revoked or has expired.
    """
    old = session.get(ApiKey, key_id, with_for_update=True, populate_existing=True)
    if old is None:
        raise NotFoundError(f"There is no key {key_id!r}.")
    if old.scope == "agent":
        raise ConflictError("An agent gets a new key when its device is let in again: latcast keys enrol --device ID.")
    now = time.time()
    if old.revoked_unix_s is not None or (old.expires_unix_s or now + 1) <= now:
        raise ConflictError("The key has ended already: make a new one.")
    life_s = None if old.expires_unix_s is None else old.expires_unix_s - old.created_unix_s
    new, secret = create_key(
        session,
        scope=cast(Scope, old.granted),
        name=old.name,
        owner=old.owner,
        expires_unix_s=None if life_s is None else now + life_s,
        max_open_jobs=old.max_open_jobs,
        max_jobs_per_day=old.max_jobs_per_day,
    )
    old.expires_unix_s = min(old.expires_unix_s or now + overlap_s, now + overlap_s)
    return new, secret


def revoke_key(session: Session, key_id: str) -> ApiKey:
    """Make a key useless from now on; revoking twice is once.

    Raises:
        NotFoundError: there is no such key.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFoundError(f"There is no key {key_id!r}.")
    key.revoked_unix_s = key.revoked_unix_s or time.time()
    return key


def keys_page(session: Session, *, limit: int, cursor: str | None = None) -> Page[Row[ApiKey]]:
    """Keys, oldest first.

    Raises:
        InputError: a cursor that no page gave.
    """
    return fetch_page(session, select(ApiKey), Order("keys", (ApiKey.id,)), limit=limit, cursor=cursor)


def replace_secret(session: Session, key: ApiKey) -> str:
    """A new secret for a key whose first one got lost on its way; the first one opens nothing any more."""
    secret = _new_secret()
    key.digest = digest_of(secret)
    session.flush()
    return secret


def create_enrolment_token(
    session: Session, *, ttl_s: float, device_id: str | None = None
) -> tuple[EnrolmentToken, str]:
    """A new token with which one device can register once: its row and the secret, which cannot be had again.

    Args:
        session: in a transaction.
        ttl_s: how long it is valid, in s.
        device_id: the registered device that it lets in again; None for a token that admits a new device.
    """
    secret = _new_secret()
    token = EnrolmentToken(digest=digest_of(secret), expires_unix_s=time.time() + ttl_s, device_id=device_id)
    session.add(token)
    session.flush()
    return token, secret


def find_token(session: Session, secret: str) -> EnrolmentToken:
    """The enrolment token with this secret, locked: of calls with one token, one at a time goes on.

    Raises:
        AuthenticationError: the token is unknown or expired.
    """
    token = session.get(EnrolmentToken, digest_of(secret), with_for_update=True, populate_existing=True)
    if token is None or not secrets.compare_digest(token.digest, digest_of(secret)):
        raise AuthenticationError("The enrolment token is unknown; ask an admin for a new one.")
    if token.expires_unix_s < time.time():
        raise AuthenticationError("The enrolment token has expired; ask an admin for a new one.")
    return token


def find_unused_key(session: Session, key_id: str | None) -> ApiKey | None:
    """The agent's key with this id, locked; None where a call came with it already, or it was revoked."""
    key = session.get(ApiKey, key_id, with_for_update=True, populate_existing=True) if key_id else None
    return key if key and key.first_used_unix_s is None and key.revoked_unix_s is None else None


def note_first_use(session: Session, secret: str) -> None:
    """Take note of the first call with an agent's key: from now on its enrolment token opens nothing.

    Raises:
        AuthenticationError: the key was replaced or revoked since the caller was identified.
    """
    of_key = (ApiKey.digest == digest_of(secret), ApiKey.revoked_unix_s.is_(None))
    session.execute(
        update(ApiKey).where(*of_key, ApiKey.first_used_unix_s.is_(None)).values(first_used_unix_s=time.time())
    )
    if session.scalar(select(ApiKey.id).where(*of_key)) is None:
        raise AuthenticationError(REFUSED)


def keys_required(session: Session, settings: Settings) -> bool:
    """Whether calls need a key: by the settings, or because an admin or client key was ever made."""
    made = select(ApiKey.id).where(ApiKey.scope != "agent").limit(1)
    return settings.require_keys or session.scalar(made) is not None


def authenticate(session: Session, secret: str | None, settings: Settings) -> Principal:
    """Who calls with this key.

    Raises:
        AuthenticationError: a key is needed and there is none, or it is unknown or revoked.
    """
    required = keys_required(session, settings)
    if secret is None:
        if required:
            raise AuthenticationError("This service needs a key: send it as `Authorization: Bearer KEY`.")
        return Principal()
    row = session.execute(
        select(ApiKey, Agent).outerjoin(Agent, Agent.api_key_id == ApiKey.id).where(ApiKey.digest == digest_of(secret))
    ).one_or_none()
    if row is None or not secrets.compare_digest(row[0].digest, digest_of(secret)) or row[0].revoked_unix_s is not None:
        raise AuthenticationError(REFUSED)
    key, agent = row
    principal = Principal(
        scope=cast(Scope, key.granted) if required else None,
        key_id=key.id,
        expires_unix_s=key.expires_unix_s,
        agent_id=agent.id if agent else None,
        device_id=agent.device_id if agent else None,
        first_call=agent is not None and key.first_used_unix_s is None,
    )
    if principal.is_expired:
        raise AuthenticationError(REFUSED)
    return principal


def require_valid(session: Session, principal: Principal, *, lock: bool = False) -> None:
    """Make sure that the caller's key was not revoked, and did not expire, while the call waited.

    Args:
        session: in a transaction.
        principal: who calls.
        lock: whether a revocation has to wait for the end of this transaction, which writes.

    Raises:
        AuthenticationError: the key has ended.
    """
    if principal.key_id is None:
        return
    if not valid_keys(session, [principal.key_id], lock=lock):
        raise AuthenticationError(REFUSED)


def valid_keys(session: Session, key_ids: Collection[str], *, lock: bool = False) -> set[str]:
    """Those of the keys that are there, were not revoked and have not expired.

    Args:
        session: in a transaction.
        key_ids: of the keys.
        lock: whether a revocation has to wait for the end of this transaction, which writes.
    """
    if not key_ids:
        return set()
    asked = {"keys": list(key_ids), "now": time.time()}
    return set(session.scalars(_VALID_KEYS_LOCKED if lock else _VALID_KEYS, asked))


_VALID_KEYS = (
    select(ApiKey.id)
    .where(ApiKey.id.in_(bindparam("keys", expanding=True)), _valid(bindparam("now", type_=Float)))
    .execution_options(**ALL_ROWS)
)
"""Put together once: agents are looked at all the time."""
_VALID_KEYS_LOCKED = _VALID_KEYS.with_for_update(read=True)


def require_scope(principal: Principal, scopes: tuple[Scope, ...]) -> None:
    """Let the caller pass, or raise.

    Raises:
        ForbiddenError: the key's scope is none of these.
    """
    if principal.scope is not None and principal.scope not in scopes:
        raise ForbiddenError(f"This call needs a key with scope {' or '.join(scopes)}; yours has {principal.scope}.")


def check_bind(settings: Settings, engine: Engine) -> None:
    """Make sure that an open service listens on loopback only.

    Raises:
        InputError: the address can be reached from elsewhere and nothing asks for keys.
    """
    if is_loopback(settings.host):
        return
    with Session(engine) as session:
        if not keys_required(session, settings):
            raise InputError(
                f"Refusing to listen on {settings.host} without keys, because everybody who reaches that address could "
                "run models on your devices. Make a key first (latcast keys create --scope admin), or listen on "
                "127.0.0.1."
            )


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a name or address reaches nobody but this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def agent_of(session: Session, principal: Principal) -> Agent:
    """The agent that calls.

    Raises:
        AuthenticationError: the call came without an agent's key.
    """
    return session.get_one(Agent, agent_id_of(principal))


def agent_id_of(principal: Principal) -> str:
    """Id of the agent that calls.

    Raises:
        AuthenticationError: the call came without an agent's key.
    """
    if principal.agent_id is None:
        raise AuthenticationError("Only agents can do this: register the device first and send the agent's key.")
    return principal.agent_id
