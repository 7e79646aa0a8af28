"""The process that measures many graphs, seen from the campaign: asked, and replaced when it crashes or hangs."""

from types import TracebackType
from typing import Self

from latcast.schema import (
    Architecture,
    Device,
    InputError,
    LatcastError,
    Measurement,
    ProfileSettings,
    from_plain,
    to_plain,
)
from profilers.backends.target_settings import target_for
from profilers.campaign.child import StepAnswer, StepRequest, TargetSetup
from profilers.host.children import broken_answer
from profilers.host.cpus import cpus_for
from profilers.host.environment import EnvironmentReader
from profilers.host.long_lived import ChildEndedError, LongLivedChild
from profilers.timing.limits import limits_of

__all__ = ["MeasuringProcess"]

FIRST_ANSWER_S = 60.0
"""Time for the imports of a runtime on a slow machine, on top of the time of a measurement."""


class MeasuringProcess:
    """Measures graphs on one target in one process; a context manager. A new process takes the place of a lost one.

    Args:
        device: this machine.
        settings: target and protocol of each measurement; `timeout_s` is for one graph.
    """

    def __init__(self, device: Device, settings: ProfileSettings) -> None:
        self._settings, self._target = settings, target_for(device, settings)
        self._host = EnvironmentReader()
        self._child: LongLivedChild | None = None
        self._patience_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child:
            self._child.close()

    def measure(self, architecture: Architecture) -> Measurement:
        """One architecture, measured or failed."""
        before, begun = self._host.read(), StepAnswer()
        try:
            child = self._running()
            begun = self._ask(child, StepRequest(architecture=architecture))
            answer = self._answer(child) if begun.failure is None else begun
        except ChildEndedError as ended:
            answer = StepAnswer(failure=ended.failure)
        return Measurement(
            graph=begun.graph,
            target=self._target,
            settings=self._settings,
            feeds=begun.feeds,
            before=before,
            runs=(answer.run,) if answer.run else (),
            failure=answer.failure,
        )

    def sentinel_ms(self) -> float:
        """Latency of the sentinel.

        Raises:
            LatcastError: the target cannot even run that; says why.
        """
        try:
            answer = self._ask(self._running(), StepRequest())
        except ChildEndedError as ended:
            answer = StepAnswer(failure=ended.failure)
        if answer.sentinel_ms is None:
            reason = answer.failure.message if answer.failure else "it gave no answer."
            raise LatcastError(f"{self._target.label} cannot run the sentinel: {reason}")
        return answer.sentinel_ms

    def _ask(self, child: LongLivedChild, request: StepRequest) -> StepAnswer:
        """The first answer to a request."""
        child.ask(to_plain(request))
        return self._answer(child)

    def _answer(self, child: LongLivedChild) -> StepAnswer:
        header, _ = child.answer(timeout_s=self._patience_s)
        self._patience_s = self._settings.timeout_s
        try:
            return from_plain(StepAnswer, header)
        except InputError as error:
            child.close()
            raise ChildEndedError(broken_answer(error)) from error

    def _running(self) -> LongLivedChild:
        if self._child is None or self._child.ended:
            self._child = self._started()
            self._patience_s = self._settings.timeout_s + FIRST_ANSWER_S
        return self._child

    def _started(self) -> LongLivedChild:
        settings = self._settings
        setup = TargetSetup(settings=settings, cpus=cpus_for(settings.threads))
        return LongLivedChild("profilers.campaign.child", to_plain(setup), limits_of(settings))
