"""Whose turn it is in a campaign, and what each target measures then."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from latcast.schema import Architecture, GraphHash, InputError
from profilers.campaign.lane import Lane
from profilers.campaign.log import Check, Note, Row, RowKey, read_log, row_key
from profilers.campaign.steps import Recipe, Step, family_fits, steps

__all__ = ["Turns"]

TURN_STEPS = 45
"""Steps of one target before another has its turn: 10 to 30 s."""


class Turns:
    """What is done in a campaign, and what comes next.

    Args:
        recipe: what to draw.

    Raises:
        InputError: a recipe that nothing fits.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._steps = recipe, _Sequence(steps(recipe))
        self._done: Counter[RowKey] = Counter()

    def remember(self, folder: Path, targets: Sequence[Lane]) -> None:
        """Take over what a log says of these targets."""
        lanes = {lane.target.id: lane for lane in targets}
        graphs: dict[GraphHash, Architecture] = {}
        for entry in read_log(folder, runs=False):
            if isinstance(entry, Row):
                self._done[row_key(entry)] += 1
                lane = lanes.get(entry.measurement.target.id)
                if lane and entry.measurement.failure is None:
                    lane.measured[entry.architecture] += 1
                    graphs[entry.measurement.graph] = entry.architecture
            elif isinstance(entry, Check) and entry.drifted and entry.target in lanes:
                lanes[entry.target].measured.subtract(graphs[name] for name in entry.graphs if name in graphs)
            elif isinstance(entry, Note) and entry.target.id in lanes:
                lane = lanes[entry.target.id]
                lane.noted, lane.described = True, lane.described or entry.microbench is not None

    def add(self, lane: Lane, row: Row) -> None:
        """Take a new row of a target into account."""
        self._done[row_key(row)] += 1
        if row.measurement.failure is None:
            lane.measured[row.architecture] += 1

    def undone(self, lane: Lane) -> list[Step]:
        """The target's next steps that are not done; passes them by."""
        turn: list[Step] = []
        while len(turn) < TURN_STEPS:
            step = self._steps[lane.place]
            lane.place += 1
            if self._done[lane.target.id, step.architecture, step.careful] <= step.repeat:
                turn.append(step)
        return turn

    def once_more(self, lane: Lane) -> list[Step]:
        """A random choice of what was measured least often while the machine was steady.

        Raises:
            InputError: nothing that fits the recipe was measured on this target.
        """
        fitting = [architecture for architecture in lane.measured if family_fits(architecture, self._recipe.only)]
        if not fitting:
            raise InputError(f"Nothing like {', '.join(self._recipe.only)} was measured that could be measured again.")
        rng = np.random.default_rng([self._recipe.seed, lane.place])
        order = sorted(rng.permutation(len(fitting)).tolist(), key=lambda place: lane.measured[fitting[place]])
        lane.place += TURN_STEPS
        return [Step(architecture=fitting[place]) for place in order[:TURN_STEPS]]


class _Sequence:
    """The steps, drawn once for all targets as far as any has come."""

    def __init__(self, drawn: Iterator[Step]) -> None:
        self._drawn, self._reached = drawn, list[Step]()

    def __getitem__(self, place: int) -> Step:
        self._reached.extend(islice(self._drawn, max(0, place + 1 - len(self._reached))))
        return self._reached[place]
