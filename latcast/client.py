"""The SDK: everything the REST API offers, as methods. Needs httpx2 and the standard library.

What the service refuses is raised as the error it is there (`latcast.errors`, or `InputError` for what it could not
use), with the service's own sentence. Calls that may be repeated without harm are repeated when the service is away
for a moment; the others are not.
"""

import base64
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import httpx2

from latcast.errors import (
    AuthenticationError,
    BodyTooLargeError,
    ConflictError,
    ForbiddenError,
    LeaseLostError,
    NotFoundError,
    RateLimitedError,
    ServiceError,
    UnavailableError,
)
from latcast.schema import (
    FINISHED_STATES,
    Device,
    Failure,
    FeedSpec,
    GraphHash,
    InputError,
    JobKind,
    LatcastError,
    Measurement,
    Microbench,
    Target,
    TargetId,
    from_plain,
    to_plain,
)

__all__ = ["Client", "item"]

Plain = dict[str, Any]
ATTEMPTS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
LEASE_MARGIN_S = 10.0
"""How much longer than its long poll a call for a job may take."""
AWAY = frozenset({502, 503, 504})
ERRORS: Mapping[int, type[LatcastError]] = {
    400: InputError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: BodyTooLargeError,
    422: InputError,
    **dict.fromkeys(AWAY, UnavailableError),
}


def item(
    *,
    space: str | None = None,
    text: str | None = None,
    graph: GraphHash | None = None,
    onnx: bytes | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Plain:
    """One item for `Client.predict`: `space` with `text`, or `graph`, or `onnx` with `shapes`."""
    encoded = None if onnx is None else base64.b64encode(onnx).decode()
    given = {"space": space, "text": text, "graph": graph, "onnx": encoded, "shapes": shapes and to_plain(shapes)}
    return {name: value for name, value in given.items() if value is not None}


class Client:
    """A service at one address. May be used from many threads; close it, or use it as a context manager.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key, where the service asks for one; may be set later, and counts from the next call on.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel; a test gives one that needs no network.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.base_url, self.key, self.timeout_s = base_url.rstrip("/"), key, timeout_s
        self._http = httpx2.Client(base_url=self.base_url, auth=self._authorise, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _authorise(self, request: httpx2.Request) -> httpx2.Request:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # --- Devices and keys ---------------------------------------------------------------------------------------

    def register(self, device: Device, targets: Sequence[Target], *, enrolment_token: str | None = None) -> Plain:
        """Register this machine: `device_id`, `agent_key` (None when called with one) and `target_ids`."""
        body = {"device": to_plain(device), "targets": to_plain(targets), "enrolment_token": enrolment_token}
        return self._json("POST", "/devices/register", json=body, repeat=True)

    def create_enrolment_token(self, *, ttl_s: float | None = None) -> Plain:
        """A token with which one device can register: `enrolment_token`, `expires_unix_s`."""
        return self._json("POST", "/keys/enrolment", json={"ttl_s": ttl_s})

    def create_key(self, scope: Literal["admin", "client"], *, name: str = "") -> Plain:
        """A new key; its `key` is shown this once."""
        return self._json("POST", "/keys", json={"scope": scope, "name": name})

    def api_keys(self) -> list[Plain]:
        """All keys, without their secrets."""
        return list(self._pages("/keys"))

    def revoke_key(self, key_id: str) -> Plain:
        """Make a key useless from now on."""
        return self._json("DELETE", f"/keys/{key_id}", repeat=True)

    def devices(self) -> list[Plain]:
        """All registered machines."""
        return list(self._pages("/devices"))

    # --- Work of agents -----------------------------------------------------------------------------------------

    def lease(self, *, wait_s: float = 20.0) -> Plain | None:
        """A job to do; None when none came within `wait_s`."""
        timeout = httpx2.Timeout(self.timeout_s, read=wait_s + LEASE_MARGIN_S)
        response = self._send("POST", "/jobs/lease", json={"wait_s": wait_s}, timeout=timeout)
        return None if response.status_code == 204 else response.json()

    def heartbeat(self, job_id: str, lease_token: str) -> bool:
        """Extend a lease; False when it has ended and the work should stop."""
        try:
            self._json("POST", f"/jobs/{job_id}/heartbeat", json={"lease_token": lease_token}, repeat=True)
        except LeaseLostError:
            return False
        return True

    def result(self, job_id: str, lease_token: str, measurement: Measurement) -> Plain:
        """Deliver a measurement; once this returns, it is on the service's disk."""
        body = {"lease_token": lease_token, "measurement": to_plain(measurement)}
        return self._json("POST", f"/jobs/{job_id}/result", json=body, repeat=True)

    def failure(self, job_id: str, lease_token: str, failure: Failure) -> Plain:
        """Say why nothing was measured."""
        body = {"lease_token": lease_token, "failure": to_plain(failure)}
        return self._json("POST", f"/jobs/{job_id}/failure", json=body, repeat=True)

    # --- Graphs -------------------------------------------------------------------------------------------------

    def upload_graph(self, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None) -> Plain:
        """Store an ONNX model's graph: `hash` and what it consists of. Weights are not kept."""
        params = {"shapes": json.dumps(to_plain(shapes))} if shapes else {}
        headers = {"Content-Type": "application/octet-stream"}
        return self._json("POST", "/graphs", content=model, params=params, headers=headers, repeat=True)

    def upload_architecture(self, space: str, text: str) -> Plain:
        """Store the graph of an architecture's text: `hash` and what it consists of."""
        return self._json("POST", "/architectures", json={"space": space, "text": text}, repeat=True)

    def graph(self, graph_hash: GraphHash) -> Plain:
        """What a stored graph consists of."""
        return self._json("GET", f"/graphs/{graph_hash}")

    def model(self, graph_hash: GraphHash) -> bytes:
        """The ONNX model of a stored graph, without its weights."""
        return self._send("GET", f"/graphs/{graph_hash}/model").content

    # --- Jobs ---------------------------------------------------------------------------------------------------

    def profile(
        self,
        target: TargetId,
        *,
        graphs: Sequence[GraphHash] = (),
        architectures: Sequence[tuple[str, str]] = (),
        settings: Mapping[str, Any] | None = None,
        feeds: Sequence[FeedSpec] = (),
    ) -> list[Plain]:
        """Have graphs measured, one job for each: those of `graphs`, then the architectures (space, text)."""
        body = {
            "kind": JobKind.PROFILE,
            "target": target,
            "graphs": list(graphs),
            "architectures": [{"space": space, "text": text} for space, text in architectures],
            "settings": dict(settings or {}),
            "feeds": to_plain(feeds),
        }
        items: list[Plain] = self._json("POST", "/jobs", json=body)["items"]
        return items

    def adapt(
        self,
        target: TargetId,
        *,
        samples: int = 10,
        sampler: str | None = None,
        pool: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> Plain:
        """Have `samples` graphs measured and a predictor adapted to them: the job that does it.

        Args:
            target: to adapt to.
            samples: how many graphs are measured.
            sampler: who chooses them; the service's default where left out.
            pool: what from: `{"space": …}` or `{"graphs": […]}`; the service's default spaces where left out.
            settings: how to measure, where it differs from the default.
            seed: of the pool and the choice.
        """
        given = {"samples": samples, "sampler": sampler, "pool": pool, "settings": settings, "seed": seed}
        body = {name: value for name, value in given.items() if value is not None}
        return self._json("POST", f"/targets/{target}/adapt", json=body)

    def jobs(self, **filters: str) -> Iterator[Plain]:
        """Jobs, newest first; filters are `state`, `kind`, `target` and `parent`."""
        return self._pages("/jobs", **filters)

    def job(self, job_id: str) -> Plain:
        """A job with its attempts, its children's states and its result."""
        return self._json("GET", f"/jobs/{job_id}")

    def cancel(self, job_id: str) -> Plain:
        """Cancel a job and the jobs it waits for."""
        return self._json("POST", f"/jobs/{job_id}/cancel", repeat=True)

    def wait(
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
            job = self.job(job_id)
            if job != last and on_change is not None:
                on_change(job)
            if job["state"] in FINISHED_STATES:
                return job
            if time.monotonic() > until:
                raise UnavailableError(f"Job {job_id} is still {job['state']} after {timeout_s:g} s.")
            last = job
            time.sleep(poll_s)

    # --- Forecasts ----------------------------------------------------------------------------------------------

    def predict(self, target: TargetId, items: Sequence[Mapping[str, Any]], *, level: float = 0.9) -> list[Plain]:
        """Forecasts in the order of the items (made by `item`); one that could not be answered has an `error`."""
        body = {"target": target, "items": list(items), "level": level}
        answers: list[Plain] = self._json("POST", "/predict", json=body, repeat=True)["items"]
        return answers

    def quality(self, target: TargetId) -> list[Plain]:
        """Every measured graph beside its forecast."""
        pairs: list[Plain] = self._json("GET", f"/targets/{target}/quality")["pairs"]
        return pairs

    def predictors(self) -> list[Plain]:
        """Base predictors, newest first."""
        return list(self._pages("/predictors"))

    # --- Targets and their data ---------------------------------------------------------------------------------

    def targets(self) -> list[Plain]:
        """All targets."""
        return list(self._pages("/targets"))

    def target(self, target: TargetId) -> Plain:
        """One target, with the adaptation that answers for it."""
        return self._json("GET", f"/targets/{target}")

    def microbench(self, target: TargetId) -> Plain | None:
        """The hardware descriptor of a target: `microbench` and `created_unix_s`; None where it has none."""
        try:
            return self._json("GET", f"/targets/{target}/microbench")
        except NotFoundError:
            return None

    def put_microbench(self, microbench: Microbench) -> Plain:
        """Report the hardware descriptor of a target of the agent's device."""
        path = f"/targets/{microbench.target.id}/microbench"
        return self._json("PUT", path, json=to_plain(microbench), repeat=True)

    def measurements(self, target: TargetId, **filters: Any) -> Iterator[Plain]:
        """Measurements with their summaries; filters are `sort`, `outcome`, `noisy`, `graph` and `space`."""
        return self._pages(f"/targets/{target}/measurements", **filters)

    def measurement(self, measurement_id: int) -> Measurement:
        """One measurement with every sample, kernel and counter."""
        return from_plain(Measurement, self._json("GET", f"/measurements/{measurement_id}")["measurement"])

    def export(self, target: TargetId, path: Path, *, file_format: Literal["csv", "parquet"] = "parquet") -> None:
        """Write a target's measurements into a file."""
        with self._http.stream("GET", f"/targets/{target}/dataset.{file_format}") as response:
            if response.is_error:
                response.read()
                raise _error_of(response)
            with path.open("wb") as out:
                for chunk in response.iter_bytes():
                    out.write(chunk)

    def readiness(self) -> Plain:
        """Whether the service can work: `ready`, and the state of its `parts`."""
        try:
            response = self._http.get("/readyz")
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        ready: Plain = response.json()
        return ready

    def is_ready(self) -> bool:
        """Whether the service answers and can work; False while it cannot be reached."""
        try:
            return bool(self.readiness()["ready"])
        except UnavailableError:
            return False

    # --- Requests -----------------------------------------------------------------------------------------------

    def _pages(self, path: str, **params: Any) -> Iterator[Plain]:
        params = {name: value for name, value in params.items() if value is not None}
        while True:
            page = self._json("GET", path, params=params)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def _json(self, method: str, path: str, *, repeat: bool = False, **request: Any) -> Plain:
        plain: Plain = self._send(method, path, repeat=repeat, **request).json()
        return plain

    def _send(self, method: str, path: str, *, repeat: bool = False, **request: Any) -> httpx2.Response:
        """The answer of a call; repeated while the service is away, if that can do no harm."""
        attempts = ATTEMPTS if repeat or method == "GET" else 1
        for attempt in range(1, attempts):
            try:
                return self._send_once(method, path, **request)
            except (UnavailableError, RateLimitedError) as error:
                time.sleep(_pause_s(attempt, error))
        return self._send_once(method, path, **request)

    def _send_once(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error_of(response)
        return response

    def _unreachable(self, error: Exception) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(f"The service at {self.base_url} cannot be reached: {reason}. Is `latcast serve` up?")


def _pause_s(attempt: int, error: LatcastError) -> float:
    if isinstance(error, RateLimitedError):
        return min(error.retry_after_s, LONGEST_PAUSE_S)
    return float(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))


def _error_of(response: httpx2.Response) -> LatcastError:
    """The error that a problem stands for."""
    try:
        problem = response.json()
        detail, kind = str(problem["detail"]), str(problem["type"]).rpartition(":")[2]
    except (ValueError, KeyError, TypeError):
        detail, kind = f"The service answered {response.status_code} without saying why.", ""
    if response.status_code == RateLimitedError.status:
        wait = response.headers.get("Retry-After", "1")
        return RateLimitedError(detail, retry_after_s=float(wait) if wait.isdigit() else 1.0)
    if kind == "lease-lost":
        return LeaseLostError(detail)
    return ERRORS.get(response.status_code, ServiceError)(detail)
