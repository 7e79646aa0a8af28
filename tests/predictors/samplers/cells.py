"""Cells of NAS-Bench-201 as candidates."""

import numpy as np

from latcast.schema import Architecture
from predictors.base import Query
from predictors.testing import NEW_DEVICE
from profilers.search_spaces import get_space

DEAD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def cells(count: int, *, dead: int = 0) -> list[Query]:
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    texts: list[Architecture] = []
    while len(texts) < count:
        drawn = space.sample(rng)
        if not space.is_degenerate(drawn):
            texts.append(drawn)
    texts += [space.parse(DEAD)] * dead
    return [Query(target=NEW_DEVICE.target, architecture=text) for text in texts]
