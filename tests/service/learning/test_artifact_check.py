"""Artifacts that cannot be used are found in turn, named by what they spoil, and looked at again."""

import hashlib

import numpy as np
import pytest

from latcast.schema import Architecture, Target
from predictors.base import LatencyDataset, Query
from predictors.kinds.lookup_table import LookupTablePredictor
from service.db import records, tables
from service.db.session import Database
from service.learning.artifact_check import AGAIN_S, REPAIR_S, ArtifactCheck
from tests.service.helpers import CELL, TARGET


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def content(ms: float) -> bytes:
    query = Query(target=Target(device="d", backend="b"), architecture=Architecture(space="nasbench201", text=CELL))
    data = LatencyDataset(queries=[query], latency_ms=np.array([ms]))
    return LookupTablePredictor().fit(data).to_artifact().to_bytes()


def serve(database: Database, stored: bytes, *, target: Target | None = None) -> str:
    """Make the bytes an active artifact, of an adaptation where a target is named; its digest is right."""
    digest = hashlib.sha256(stored).hexdigest()
    with database.write.begin() as session:
        session.add(tables.Artifact(digest=digest, content=stored))
        base = tables.Predictor(kind="lookup_table", artifact_digest=digest, metrics={}, active=target is None)
        session.add(base)
        session.flush()
        if target is not None:
            session.add(tables.Target(id=target.id, backend=target.backend, origin="", record=records.storable(target)))
            session.flush()
            session.add(
                tables.Adaptation(
                    target_id=target.id,
                    artifact_digest=digest,
                    predictor_id=base.id,
                    support=[],
                    metrics={},
                    active=True,
                )
            )
    return digest


def rewrite(database: Database, digest: str, stored: bytes) -> None:
    with database.write.begin() as session:
        session.get_one(tables.Artifact, digest).content = stored


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(database: Database, clock: Clock) -> ArtifactCheck:
    return ArtifactCheck(database, clock=clock)


def look_at_all(check: ArtifactCheck, count: int) -> str:
    for _ in range(count):
        assert check.look() is False
    return check.sentence()


def test_sound_artifacts_are_not_mentioned(database: Database, check: ArtifactCheck) -> None:
    assert look_at_all(check, 1) == ""
    serve(database, content(1.0))
    serve(database, content(2.0), target=TARGET)
    assert look_at_all(check, 3) == ""


def test_a_right_digest_does_not_make_an_artifact_usable(database: Database, check: ArtifactCheck) -> None:
    serve(database, content(1.0))
    serve(database, b"no artifact", target=TARGET)
    sentence = look_at_all(check, 2)
    assert f"the adaptation of target {TARGET.id}" in sentence
    assert "base predictor" not in sentence


def test_rot_is_seen_later_and_so_is_its_repair(database: Database, check: ArtifactCheck, clock: Clock) -> None:
    stored = content(1.0)
    digest = serve(database, stored)
    assert look_at_all(check, 1) == ""
    rewrite(database, digest, stored[:-1] + b"?")
    assert look_at_all(check, 3) == ""
    clock.now += AGAIN_S
    assert "the base predictor" in look_at_all(check, 1)
    rewrite(database, digest, stored)
    clock.now += REPAIR_S
    assert look_at_all(check, 1) == ""


def test_what_serves_no_more_is_forgotten(database: Database, check: ArtifactCheck) -> None:
    serve(database, b"no artifact")
    assert look_at_all(check, 1)
    with database.write.begin() as session:
        session.query(tables.Predictor).update({"active": False})
    assert look_at_all(check, 1) == ""


def test_the_sentence_names_a_few_and_counts_the_rest(database: Database, check: ArtifactCheck) -> None:
    for number in range(7):
        serve(database, f"no artifact {number}".encode())
    sentence = look_at_all(check, 7)
    assert sentence.count("the base predictor") == 5
    assert "and 2 more" in sentence
