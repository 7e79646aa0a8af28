"""Artifacts in the database: kept once, verified when they are read, and base predictors in lists."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select, update

from latcast.schema import Architecture, ArtifactError, Target
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Query
from predictors.kinds.lookup_table import LookupTablePredictor
from profilers.caching import Cache
from service.db import tables
from service.db.session import Database
from service.learning import artifacts
from service.learning.artifacts import LOADED_FACTOR, ArtifactStore, put_artifact, read_artifact
from tests.service.helpers import CELL


@pytest.fixture
def artifact() -> Artifact:
    """Of a predictor that read one row."""
    query = Query(target=Target(device="d", backend="b"), architecture=Architecture(space="nasbench201", text=CELL))
    return LookupTablePredictor().fit(LatencyDataset(queries=[query], latency_ms=np.array([3.0]))).to_artifact()


def test_an_artifact_is_kept_once_and_read_once(database: Database, artifact: Artifact) -> None:
    with database.write.begin() as session:
        digest = put_artifact(session, artifact)
        assert put_artifact(session, artifact) == digest
        assert session.scalar(select(func.count()).select_from(tables.Artifact)) == 1
    store = ArtifactStore(database)
    assert isinstance(store.load(digest).predictor, LookupTablePredictor)
    with database.write.begin() as session:
        session.get_one(tables.Artifact, digest).content = b"other bytes"
    assert store.load(digest) is store.load(digest)
    with pytest.raises(ArtifactError, match="corrupt"):
        ArtifactStore(database).load(digest)
    with pytest.raises(ArtifactError, match="not in the database"):
        store.load("none")


@pytest.mark.parametrize("error", [ImportError("No module named 'torch'"), RuntimeError("size mismatch for w")])
def test_whatever_a_library_says_of_an_artifact_it_is_one_that_cannot_be_loaded(
    database: Database, artifact: Artifact, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_arguments: object) -> None:
        raise error

    with database.write.begin() as session:
        digest = put_artifact(session, artifact)
    monkeypatch.setattr(LookupTablePredictor, "from_artifact", refuse)
    with pytest.raises(ArtifactError, match=f"cannot be loaded here .*{error}"):
        ArtifactStore(database).load(digest)


def test_an_artifact_that_is_refused_pushes_none_out_of_memory(database: Database, artifact: Artifact) -> None:
    with database.write.begin() as session:
        digest = put_artifact(session, artifact)
        session.add(tables.Artifact(digest="copy", content=artifact.to_bytes()))
    store = ArtifactStore(database, cache_bytes=LOADED_FACTOR * len(artifact.to_bytes()))
    first = store.load(digest)
    with pytest.raises(ArtifactError):
        store.load("copy")  # its digest is not that of its bytes, and nothing is forgotten for it
    assert store.load(digest) is first


def test_no_more_is_kept_than_memory_is_given(database: Database, artifact: Artifact) -> None:
    with database.write.begin() as session:
        digest = put_artifact(session, artifact)
    store = ArtifactStore(database, cache_bytes=LOADED_FACTOR * len(artifact.to_bytes()) - 1)
    assert store.load(digest) is not store.load(digest)


def test_what_the_base_has_is_kept_once(
    database: Database, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = replace(artifact, arrays={**artifact.arrays, "more": np.random.default_rng(0).uniform(size=10_000)})
    adapted = replace(large, meta={"adapted": True})
    with database.write.begin() as session:
        base = put_artifact(session, large)
        digest = put_artifact(session, adapted, base=base)
        sizes = dict(session.execute(select(tables.Artifact.digest, func.length(tables.Artifact.content))).all())
        assert read_artifact(session, digest).to_bytes() == adapted.to_bytes()
    assert sizes[digest] < sizes[base] / 10
    assert isinstance(ArtifactStore(database).load(digest).predictor, LookupTablePredictor)
    with database.write.begin() as session:
        session.execute(update(tables.Artifact).where(tables.Artifact.digest == base).values(content=b"rotten"))
    monkeypatch.setattr(artifacts, "_BASES", Cache(2**20))
    with pytest.raises(ArtifactError, match=f"{base[:12]} is corrupt"):
        ArtifactStore(database).load(digest)
