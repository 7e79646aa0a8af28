"""Predictors as rows: pages, and what goes when one is removed."""

import pytest

from latcast.errors import ConflictError, NotFoundError
from service.db import records, tables
from service.db.session import Database
from service.learning.predictor_rows import (
    find_predictor,
    predictors_page,
    remove_predictor,
    require_card,
    set_active,
)
from tests.service.helpers import TARGET


@pytest.fixture
def ids(database: Database) -> list[str]:
    """Ids of three predictors, oldest first; the first has an adaptation that answers, and one that does not."""
    made = []
    with database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
        for number in range(4):
            session.add(tables.Artifact(digest=f"d{number}", content=b"x"))
        session.flush()
        for number in range(3):
            session.add(row := tables.Predictor(kind="flops", artifact_digest=f"d{number}", metrics={}))
            session.flush()
            made.append(row.id)
        for active, digest in ((True, "d3"), (False, "d1")):
            values = {"target_id": TARGET.id, "support": [], "metrics": {}, "artifact_digest": digest}
            session.add(tables.Adaptation(predictor_id=made[0], active=active, **values))
    return made


def test_base_predictors_are_listed_newest_first_and_found(database: Database, ids: list[str]) -> None:
    with database.read() as session:
        page = predictors_page(session, limit=2)
        rest = predictors_page(session, limit=2, cursor=page.next_cursor)
        assert [row.id for part in (page, rest) for (row,) in part.items] == ids[::-1]
        assert find_predictor(session, ids[0]).artifact_digest == "d0"
        with pytest.raises(NotFoundError, match="GET /v1/predictors"):
            find_predictor(session, "none")
    with pytest.raises(NotFoundError, match="not trained by a job"):
        require_card(None, ids[0])
    assert require_card("card", ids[0]) == "card"


def test_one_that_answers_stays_and_another_goes_with_what_is_its_own(database: Database, ids: list[str]) -> None:
    with database.write.begin() as session:
        with pytest.raises(ConflictError, match=f"answer for targets {TARGET.id}.*deactivate"):
            remove_predictor(session, ids[0])
        assert set_active(session, ids[0], False).active is False
        for row in session.query(tables.Adaptation):
            row.active = False
    with database.write.begin() as session:
        assert remove_predictor(session, ids[0]).id == ids[0]
    with database.read() as session:
        assert session.query(tables.Adaptation).count() == 0
        left = {row.digest for row in session.query(tables.Artifact)}
    assert left == {"d1", "d2"}, "d1 is another predictor's, too"
