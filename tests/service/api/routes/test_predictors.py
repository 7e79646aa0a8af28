"""Base predictors over REST: listed, shown with their cards, activated and removed."""

import pytest

from latcast.errors import ForbiddenError
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


def test_cards_are_there_for_what_a_job_trained(world: World, predictors: list[str]) -> None:
    with world.database.write.begin() as session:
        row = session.get_one(tables.Predictor, predictors[0])
        row.card, row.calibration_svg = "# flops", "<svg/>"
    assert world.client.predictor_card(predictors[0]) == "# flops"
    drawn = world.http.get(f"/v1/predictors/{predictors[0]}/calibration.svg")
    assert (drawn.headers["content-type"].partition(";")[0], drawn.text) == ("image/svg+xml", "<svg/>")
    for part in ("card", "calibration.svg"):
        missing = world.http.get(f"/v1/predictors/{predictors[1]}/{part}")
        assert missing.status_code == 404
        assert "not trained by a job" in missing.json()["detail"]


def test_predictors_are_activated_and_removed(world: World, predictors: list[str]) -> None:
    client = world.client
    for _ in range(2):
        assert client.deactivate_predictor(predictors[0])["active"] is False
    assert client.activate_predictor(predictors[0])["active"] is True
    assert client.remove_predictor(predictors[0])["id"] == predictors[0]
    assert [row["id"] for row in client.predictors()] == predictors[:0:-1]
    assert world.http.delete(f"/v1/predictors/{predictors[0]}").status_code == 404


def test_only_admins_change_predictors(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    client = world.client_with(keys["client"])
    for change in (client.activate_predictor, client.deactivate_predictor, client.remove_predictor, client.train):
        with pytest.raises(ForbiddenError):
            change("flops")
