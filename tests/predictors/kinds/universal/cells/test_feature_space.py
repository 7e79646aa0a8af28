"""What the features of both search spaces have in common."""

from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201


def test_no_texts_no_rows() -> None:
    assert FBNET.features([]).shape == (0, 198)
    assert NASBENCH201.features([]).shape == (0, 68)
