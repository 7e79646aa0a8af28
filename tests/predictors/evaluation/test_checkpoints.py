"""Parts of a training that are kept, and those that are not there."""

import numpy as np

from predictors.evaluation.checkpoints import NoCheckpoints, keep_arrays, kept_arrays
from tests.predictors.evaluation.kept import Kept


def test_arrays_come_back_as_they_were_kept() -> None:
    kept = Kept()
    assert kept_arrays(kept, "fold-0") is None
    keep_arrays(kept, "fold-0", {"x": np.array([1.0, np.nan]), "n": np.arange(3), "s": np.array(2.5)})
    found = kept_arrays(kept, "fold-0")
    assert found is not None
    np.testing.assert_array_equal(found["x"], [1.0, np.nan])
    assert found["n"].tolist() == [0, 1, 2]
    assert float(found["s"]) == 2.5


def test_without_checkpoints_nothing_is_kept() -> None:
    nothing = NoCheckpoints()
    keep_arrays(nothing, "fold-0", {"x": np.ones(1)})
    assert kept_arrays(nothing, "fold-0") is None
