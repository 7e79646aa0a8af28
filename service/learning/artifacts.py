"""Artifacts in the database, by digest: every process behind a load balancer sees the same ones."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.artifact_difference import base_digest_of, completed, difference
from predictors.base import Predictor
from predictors.registry import load_predictor
from profilers.caching import Cache
from service.db import tables
from service.db.session import Database

__all__ = [
    "ArtifactStore",
    "LoadedPredictor",
    "PackedArtifact",
    "complete_artifact",
    "intact",
    "loaded",
    "packed",
    "put_artifact",
    "put_packed",
    "read_artifact",
    "remove_unused",
]

CACHE_BYTES = 512 * 2**20
BASES_BYTES = 64 * 2**20
LOADED_FACTOR = 3
"""Memory that a predictor takes for each byte of its artifact, about: weights are stored in half precision."""


class LoadedPredictor(NamedTuple):
    """A predictor, and what it takes in memory, about."""

    predictor: Predictor
    size_bytes: int


def put_artifact(session: Session, artifact: Artifact, *, base: str | None = None) -> str:
    """Keep an artifact within the session's transaction; returns its digest. Keeping it twice changes nothing.

    Args:
        session: in a transaction.
        artifact: to be kept.
        base: digest of a complete artifact that is kept as long; what both have is kept once.
    """
    if base is not None:
        artifact = difference(artifact, complete_artifact(session, base), base)
    return put_packed(session, packed(artifact))


class PackedArtifact(NamedTuple):
    """An artifact as it is kept: its bytes, and their digest."""

    digest: str
    content: bytes


def packed(artifact: Artifact) -> PackedArtifact:
    """The artifact as it is kept; this takes long, and belongs in front of a transaction that others wait for."""
    content = artifact.to_bytes()
    return PackedArtifact(hashlib.sha256(content).hexdigest(), content)


def put_packed(session: Session, artifact: PackedArtifact) -> str:
    """Keep an artifact within the session's transaction; returns its digest. Keeping it twice changes nothing."""
    if session.get(tables.Artifact, artifact.digest) is None:
        session.add(tables.Artifact(digest=artifact.digest, content=artifact.content))
        session.flush()
    return artifact.digest


def remove_unused(session: Session, digests: Collection[str]) -> None:
    """Remove those of the artifacts that no predictor and no adaptation has."""
    users = (tables.Predictor.artifact_digest, tables.Adaptation.artifact_digest)
    used = or_(*(exists().where(column == tables.Artifact.digest) for column in users))
    session.flush()
    session.execute(delete(tables.Artifact).where(tables.Artifact.digest.in_(list(digests)), ~used))


class ArtifactStore:
    """Loads predictors by their artifact's digest, verified, and keeps the latest used ones. Thread-safe.

    Args:
        database: that has the artifacts.
        cache_bytes: memory for the predictors that are kept.
    """

    def __init__(self, database: Database, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._loaded: Cache[str, LoadedPredictor] = Cache(cache_bytes, weigh=lambda loaded: loaded.size_bytes)

    def load(self, digest: str) -> LoadedPredictor:
        """The predictor whose artifact has this digest.

        Raises:
            ArtifactError: it is missing, its bytes are not those that were stored, or it cannot be loaded here.
        """
        return self._loaded.get_or_make(digest, lambda: self._fresh(digest))

    def _fresh(self, digest: str) -> LoadedPredictor:
        with self._database.read() as session:
            return loaded(session, digest)


def loaded(session: Session, digest: str) -> LoadedPredictor:
    """The predictor in the bytes that the database has for a digest.

    Raises:
        ArtifactError: there are none, they are not those that were stored, or no predictor can be made of them here,
            whatever its library says.
    """
    artifact = read_artifact(session, digest)
    size_bytes = len(artifact.to_bytes())
    try:
        predictor = load_predictor(artifact)
    except ArtifactError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ArtifactError(f"The artifact {digest[:12]} cannot be loaded here ({reason}).") from error
    return LoadedPredictor(predictor, LOADED_FACTOR * size_bytes)


def read_artifact(session: Session, digest: str) -> Artifact:
    """The complete artifact that was kept with this digest, its base's part of it included.

    Raises:
        ArtifactError: it is missing, or the bytes are not those that were stored.
    """
    artifact = Artifact.from_bytes(intact(session, digest))
    base = base_digest_of(artifact)
    return artifact if base is None else completed(artifact, complete_artifact(session, base))


def intact(session: Session, digest: str) -> bytes:
    """The bytes that were stored with this digest.

    Raises:
        ArtifactError: they are not in the database, or others are.
    """
    content = session.scalar(select(tables.Artifact.content).where(tables.Artifact.digest == digest))
    if content is None:
        raise ArtifactError(f"The artifact {digest[:12]} is not in the database.")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ArtifactError(f"The artifact {digest[:12]} is corrupt: its bytes do not match its digest.")
    return content


def complete_artifact(session: Session, digest: str) -> Artifact:
    """A base's artifact; kept in memory, as each of its adaptations needs it.

    Raises:
        ArtifactError: it is missing, or the bytes are not those that were stored.
    """
    return _BASES.get_or_make(digest, lambda: Artifact.from_bytes(intact(session, digest)))


_BASES: Cache[str, Artifact] = Cache(
    BASES_BYTES, weigh=lambda artifact: sum(array.nbytes for array in artifact.arrays.values())
)
"""By digest, which says what is in it: whichever database it came from."""
