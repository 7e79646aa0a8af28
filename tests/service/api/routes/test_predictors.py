"""Base predictors over REST."""

import pytest

from service.db import tables
from tests.service.helpers import World


@pytest.fixture
def predictors(world: World) -> list[str]:
    """Ids of three predictors, oldest first."""
    ids = []
    for number in range(3):
        with world.database.write.begin() as session:
            session.add(tables.Artifact(digest=f"d{number}", content=b"x"))
            session.flush()
            row = tables.Predictor(kind="flops", artifact_digest=f"d{number}", metrics={"mape": 0.1 * number})
            session.add(row)
            session.flush()
            ids.append(row.id)
    return ids


def test_predictors_are_listed_newest_first(world: World, predictors: list[str]) -> None:
    listed = world.client.predictors()
    assert [row["id"] for row in listed] == predictors[::-1]
    assert listed[0]["metrics"] == {"mape": 0.2}
    pages = [world.http.get("/v1/predictors", params={"limit": 2}).json()]
    pages.append(world.http.get("/v1/predictors", params={"limit": 2, "cursor": pages[0]["next_cursor"]}).json())
    assert [row for page in pages for row in page["items"]] == listed


def test_one_predictor_is_shown_or_said_not_to_be_there(world: World, predictors: list[str]) -> None:
    shown = world.http.get(f"/v1/predictors/{predictors[0]}").json()
    assert (shown["id"], shown["kind"], shown["active"]) == (predictors[0], "flops", True)
    missing = world.http.get("/v1/predictors/none")
    assert missing.status_code == 404
    assert "GET /v1/predictors" in missing.json()["detail"]
