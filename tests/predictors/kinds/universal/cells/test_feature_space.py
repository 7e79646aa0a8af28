"""What the features of both search spaces have in common."""

import numpy as np

from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.feature_space import one_hot
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201
from profilers.search_spaces.fbnet import FBNet
from profilers.search_spaces.nasbench201 import NASBench201


def test_no_texts_no_rows() -> None:
    assert FBNET.features([]).shape == (0, 198)
    assert NASBENCH201.features([]).shape == (0, 84)


def test_codes_become_one_column_for_each_value_of_each_place() -> None:
    hot = one_hot(np.array([[0, 2], [1, 1]]), 3)
    assert hot.tolist() == [[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0]]


def test_factors_and_masks_are_of_the_spaces_columns() -> None:
    for space, example in ((NASBENCH201, NASBench201.example), (FBNET, FBNet.example)):
        features = space.features([example])
        width = features.shape[1]
        assert all(factor.shape[0] == width for factor in (space.factors | space.rule_factors).values())
        assert all(mask.shape == (width, width) for mask in space.masks.values())
        assert set(np.unique(features[:, space.places])) <= {0.0, 1.0}
        assert space.measurable([example]).tolist() == [True]


def test_features_of_the_last_texts_are_kept() -> None:
    first = NASBENCH201.features([NASBench201.example])
    assert NASBENCH201.features([NASBench201.example]) is first
    assert not first.flags.writeable
    assert NASBENCH201.features([NASBench201.example] * 2).shape[0] == 2
    again = NASBENCH201.features([NASBench201.example])
    assert again is not first
    assert again.tolist() == first.tolist()
