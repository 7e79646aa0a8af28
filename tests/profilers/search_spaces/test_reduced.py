"""A part of a space is a space: the conformance suite, and what it refuses."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from latcast.schema import InputError, InvalidArchitectureError
from profilers.search_spaces import get_space
from profilers.search_spaces.reduced import ReducedSpace
from profilers.testing.search_spaces import SearchSpaceSuite

WHOLE = get_space("nasbench201")
KEPT = ["skip_connect", "nor_conv_1x1", "avg_pool_3x3"]


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reduced") / "part.json"
    path.write_text(json.dumps({"space": "nasbench201", "keep": [KEPT] * 6}))
    return path


class Part(ReducedSpace):
    name: ClassVar[str] = "part"


class TestPart(SearchSpaceSuite):
    malformed = (WHOLE.example,)  # it has 3×3 convolutions
    samples = 6
    runs = 1

    @pytest.fixture(autouse=True)
    def _space(self, part: Path) -> None:
        Part.file = str(part)
        type(self).space = Part()


def test_choices_count_what_is_kept(part: Path) -> None:
    Part.file = str(part)
    space = Part()
    architecture = space.sample(np.random.default_rng(0))
    assert space.positions()[0].options == tuple(KEPT)
    assert max(space.choices(architecture)) < len(KEPT)
    assert space.from_choices(space.choices(architecture)) == architecture
    with pytest.raises(InvalidArchitectureError, match="is left out"):
        space.parse(WHOLE.example)


def test_a_file_that_describes_no_part_is_named(tmp_path: Path) -> None:
    Part.file = str(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"none\.json"):
        Part()
    Path(Part.file).write_text(json.dumps({"space": "nasbench201", "keep": [["nothing"]] * 6}))
    with pytest.raises(InputError, match="no part"):
        Part()


@pytest.mark.parametrize("name", ["nasbench201", "fbnet", "ofa_mbv3", "mnasnet"])
def test_choices_lead_back_to_the_architecture(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(1)
    for architecture in (space.sample(rng) for _ in range(20)):
        assert space.from_choices(space.choices(architecture)) == architecture
