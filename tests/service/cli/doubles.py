"""Doubles for tests of commands: a client that answers what it was told to."""

from collections.abc import Callable
from typing import Any, Self

from latcast.schema import Target

TARGET = Target(device="machine-1", backend="onnxruntime", backend_version="1.32.0", options={"optimisation": "all"})
LISTED: dict[str, Any] = {
    "id": TARGET.id, "device_name": "bench", "label": TARGET.label, "measurements": 3, "adaptation": None, "origin": "",
    "offered": True, "online": True,
}  # fmt: skip


class FakeClient:
    """Answers methods with given values in turn (the last one again and again), and keeps what it was asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self._answers = {"targets": [[LISTED]], **answers}
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def wait(self, job_id: str, *, on_change: Callable[[Any], None], **_options: Any) -> Any:
        """The job once it has ended; it is shown each state on the way."""
        while (job := self.job(job_id))["state"] not in ("done", "failed", "cancelled"):
            on_change(job)
        return job

    def __getattr__(self, method: str) -> Any:
        if method not in self._answers:
            raise AttributeError(method)

        def call(*arguments: Any, **options: Any) -> Any:
            self.asked.append((method, arguments, options))
            values = self._answers[method]
            return values.pop(0) if len(values) > 1 else values[0]

        return call
