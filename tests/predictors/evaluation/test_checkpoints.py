"""Parts of a training that are kept, and made again where they are not."""

import numpy as np

from predictors.evaluation.checkpoints import NoCheckpoints, kept_arrays


class Kept(dict[str, bytes]):
    """Checkpoints in memory."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def save(self, name: str, content: bytes) -> None:
        self[name] = content


def test_arrays_are_made_once() -> None:
    kept, made = Kept(), []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"x": np.array([1.0, np.nan]), "n": np.arange(3)}

    first, second = (kept_arrays(kept, "fold-0", make) for _ in range(2))
    assert made == [1]
    np.testing.assert_array_equal(first["x"], second["x"])
    assert second["n"].tolist() == [0, 1, 2]


def test_without_checkpoints_they_are_made_each_time() -> None:
    nothing = NoCheckpoints()
    for value in (1.0, 2.0):
        made = kept_arrays(nothing, "fold-0", lambda value=value: {"x": np.array([value])})
        assert made["x"].tolist() == [value]
    assert nothing.load("fold-0") is None
