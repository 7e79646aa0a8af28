"""The SDK for programs on an event loop: what search loops need of `latcast.Client`, to be awaited."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Self

import httpx2

from latcast.asynchronous.transport import AsyncServiceTransport
from latcast.client import JOB_LEFT, MODEL_TYPE
from latcast.errors import UnavailableError
from latcast.loops import AsyncRemoteTarget, Forecasts
from latcast.loops.target_names import find_target
from latcast.onnx_files import without_weights
from latcast.schema import FINISHED_STATES, JobKind, TargetId, to_plain

__all__ = ["AsyncClient"]

Plain = dict[str, Any]


class AsyncClient:
    """A service at one address, for one event loop; close it, or use it as an asynchronous context manager.

    Methods do what those of `latcast.Client` with the same names do.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key, where the service asks for one.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel; left out, through the environment's proxy, if it names one.

    Raises:
        InputError: the address, the key or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._service = AsyncServiceTransport(base_url, key, timeout_s=timeout_s, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def call(self, method: str, path: str, **request: Any) -> Plain:
        """The JSON object that any call of the REST API answers.

        Raises:
            LatcastError: what the service refused, or it cannot be reached.
        """
        return await self._service.json(method, path, **request)

    # --- Forecasts ----------------------------------------------------------------------------------------------

    async def targets(self) -> list[Plain]:
        """All targets."""
        return [target async for target in self._service.pages("/targets")]

    async def target(self, target: TargetId) -> AsyncRemoteTarget:
        """One target: a dictionary with the adaptation that answers for it, and `predict` for search loops."""
        return AsyncRemoteTarget(self, await self._service.json("GET", f"/targets/{target}"))

    async def find_target(self, wanted: str | None = None) -> AsyncRemoteTarget:
        """The one target that is meant by an id, the beginning of one, a device's name, or words of device and label.

        None means the only target, or the only one that is offered.

        Raises:
            InputError: no target, or more than one, fits; the message lists them.
        """
        return await self.target(find_target(await self.targets(), wanted)["id"])

    async def predict(
        self,
        target: TargetId,
        items: Sequence[Mapping[str, Any]],
        *,
        level: float = 0.9,
        predictor: str | None = None,
    ) -> list[Plain]:
        """Forecasts in the order of the items (made by `item`); one that could not be answered has an `error`.

        Arguments are those of `latcast.Client.predict`.
        """
        body = {"target": target, "items": list(items), "level": level}
        body |= {} if predictor is None else {"predictor": predictor}
        answers: list[Plain] = (await self._service.json("POST", "/predict", json=body, repeat=True))["items"]
        return answers

    async def predict_on(
        self, targets: Sequence[TargetId | AsyncRemoteTarget], networks: Sequence[Any], **options: Any
    ) -> dict[TargetId, Forecasts]:
        """Forecasts of the same networks on several targets, asked for together: columns by the target's id.

        Raises:
            LatcastError: what one of the targets cannot be asked.
        """
        asked = [one if isinstance(one, AsyncRemoteTarget) else await self.target(one) for one in targets]
        forecasts = await asyncio.gather(*(one.predict(networks, **options) for one in asked))
        return {one.id: columns for one, columns in zip(asked, forecasts, strict=True)}

    # --- Measurements -------------------------------------------------------------------------------------------

    async def upload_graph(
        self,
        model: bytes | str | PathLike[str],
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Plain:
        """Store an ONNX model's graph: `hash` and what it consists of. Weights are not kept.

        Raises:
            InputError: the model cannot be read, or what lies beside it.
        """
        sizes = {"shapes": shapes, "dims": dims}
        params = {name: json.dumps(to_plain(value)) for name, value in sizes.items() if value}
        content = await asyncio.to_thread(without_weights, model)
        headers = {"Content-Type": MODEL_TYPE}
        return await self._service.json("POST", "/graphs", content=content, params=params, headers=headers, repeat=True)

    async def profile(
        self,
        target: TargetId,
        *,
        graphs: Sequence[str] = (),
        architectures: Sequence[tuple[str, str]] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> list[Plain]:
        """Have graphs measured, one job for each: those of `graphs`, then the architectures (space, text)."""
        body = {
            "kind": JobKind.PROFILE,
            "target": target,
            "graphs": list(graphs),
            "architectures": [{"space": space, "text": text} for space, text in architectures],
            "settings": dict(settings or {}),
        }
        items: list[Plain] = (await self._service.json("POST", "/jobs", json=body, left=JOB_LEFT))["items"]
        return items

    def measurements(self, target: TargetId, **filters: Any) -> AsyncIterator[Plain]:
        """Measurements with their summaries; filters are `sort`, `outcome`, `noisy`, `graph` and `space`."""
        return self._service.pages(f"/targets/{target}/measurements", **filters)

    async def job(self, job_id: str) -> Plain:
        """A job with its attempts, its children's states and its result."""
        return await self._service.json("GET", f"/jobs/{job_id}")

    async def wait(
        self,
        job_id: str,
        *,
        timeout_s: float = 3600.0,
        poll_s: float = 0.5,
        on_change: Callable[[Plain], None] | None = None,
    ) -> Plain:
        """The job once it is done, failed or cancelled; `on_change` sees it each time it changes.

        Raises:
            UnavailableError: it is not finished after `timeout_s`.
        """
        until, last = time.monotonic() + timeout_s, None
        while True:
            job = await self.job(job_id)
            if job != last and on_change is not None:
                on_change(job)
            if job["state"] in FINISHED_STATES:
                return job
            if time.monotonic() > until:
                raise UnavailableError(f"Job {job_id} is still {job['state']} after {timeout_s:g} s.")
            last = job
            await asyncio.sleep(poll_s)
