"""The SDK: everything the REST API offers, as methods. Needs httpx2 and the standard library.

What the service refuses is raised as the error it is there (of `latcast.errors` or `latcast.schema`), with the
service's own sentence. Calls that may be repeated without harm are repeated when the service is away for a moment; the
others are not.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx2

from latcast.columns import MOST_COLUMNS, joined
from latcast.errors import LeaseLostError, NotFoundError, UnavailableError
from latcast.loops import Forecasts, RemoteTarget
from latcast.loops.target_names import find_target
from latcast.onnx_files import without_weights
from latcast.schema import (
    FINISHED_STATES,
    Device,
    Failure,
    FeedSpec,
    GraphHash,
    InputError,
    JobKind,
    Measurement,
    Microbench,
    Target,
    TargetId,
    from_plain,
    to_plain,
)
from latcast.transport import ServiceTransport, secret_of

__all__ = ["Client"]

Plain = dict[str, Any]
MODEL_TYPE = "application/octet-stream"
TARGETS_AT_A_TIME = 8
LEASE_MARGIN_S = 10.0
"""How much longer than its long poll a call for a job may take."""
JOB_LEFT = "The job may exist: see `latcast jobs` before asking for another."
KEY_LEFT = "The key may exist: see `latcast keys list` before making another."
"""What is said when the answer to a call is lost that is not repeated, because it would make a second one."""


class Client:
    """A service at one address. May be used from many threads; close it, or use it as a context manager.

    Can be copied and pickled, so that a search framework may send it to its workers: each copy has its own connections.
    What is sent may hold NumPy's numbers and arrays.

    Args:
        base_url: for example `http://127.0.0.1:8321`.
        key: API key, where the service asks for one; may be set later, and counts from the next call on.
        timeout_s: longest silence of the service within one call.
        transport: how requests travel; a test gives one that needs no network. Left out, they go through the proxy that
            `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` names, unless `NO_PROXY` says otherwise or the service is on
            this machine.

    Raises:
        InputError: the address, the key or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.timeout_s, self._transport = timeout_s, transport
        self._service = ServiceTransport(base_url, key, timeout_s=timeout_s, transport=transport)

    @property
    def base_url(self) -> str:
        """Address of the service."""
        return self._service.base_url

    @property
    def key(self) -> str | None:
        """The API key of the calls to come."""
        return self._service.key

    @key.setter
    def key(self, key: str | None) -> None:
        self._service.key = key

    def __getstate__(self) -> Plain:
        """What makes such a client anew: in another process, or beside this one, with connections of its own."""
        return {
            "base_url": self.base_url,
            "key": self.key,
            "timeout_s": self.timeout_s,
            "transport": self._transport,
        }

    def __setstate__(self, state: Plain) -> None:
        self.timeout_s, self._transport = state["timeout_s"], state["transport"]
        self._service = ServiceTransport(
            state["base_url"], state["key"], timeout_s=self.timeout_s, transport=self._transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def call(self, method: str, path: str, **request: Any) -> Plain:
        """The JSON object that any call of the REST API answers.

        Args:
            method: of HTTP; a GET is repeated while the service is away.
            path: below `/v1`, for example `/targets`.
            **request: as httpx2 takes it (`json`, `params`); `repeat` and `patience_s` as `ServiceTransport.send` does.

        Raises:
            LatcastError: what the service refused, or it cannot be reached.
        """
        return self._service.json(method, path, **request)

    # --- Devices and keys ---------------------------------------------------------------------------------------

    def register(
        self,
        device: Device,
        targets: Sequence[Target],
        *,
        enrolment_token: str | None = None,
        former_fingerprint: str | None = None,
    ) -> Plain:
        """Register this machine: `device_id`, `agent_key` (None when called with one) and `target_ids`.

        Args:
            device: this machine.
            targets: what it offers.
            enrolment_token: where the client has no key of the device or an admin's.
            former_fingerprint: what version 0.1 called this machine, so that it keeps what it has there.
        """
        token = secret_of("enrolment token", enrolment_token)
        body = {"device": to_plain(device), "targets": to_plain(targets), "enrolment_token": token}
        if former_fingerprint is not None:
            body["former_fingerprint"] = former_fingerprint
        return self._service.json("POST", "/devices/register", json=body, repeat=True)

    def create_enrolment_token(self, *, ttl_s: float | None = None, device: str | None = None) -> Plain:
        """A token with which one device can register once: `enrolment_token`, `expires_unix_s`.

        Args:
            ttl_s: how long it is valid, in s; the service's default where left out.
            device: id or name of the registered device that it lets in again; left out, it admits a new device.
        """
        body = {"ttl_s": ttl_s} if device is None else {"ttl_s": ttl_s, "device": device}
        return self._service.json("POST", "/keys/enrolment", json=body, left=KEY_LEFT)

    def create_key(self, scope: Literal["admin", "client", "measure"], *, name: str = "", **options: Any) -> Plain:
        """A new key; its `key` is shown this once.

        Args:
            scope: what it allows.
            name: what it is for.
            **options: `owner`, `expires_in_s`, `max_open_jobs`, `max_jobs_per_day`.
        """
        body = {"scope": scope, "name": name, **options}
        return self._service.json("POST", "/keys", json=body, left=KEY_LEFT)

    def rotate_key(self, key_id: str, *, overlap_s: float = 86_400.0) -> Plain:
        """A new key in place of one that ends after `overlap_s`; its `key` is shown this once."""
        return self._service.json("POST", f"/keys/{key_id}/rotate", json={"overlap_s": overlap_s}, left=KEY_LEFT)

    def audit(self, **filters: str) -> Iterator[Plain]:
        """Who did what, newest first; of a `key`, an `action` or its beginning, or a `subject`."""
        return self._service.pages("/audit", **filters)

    def api_keys(self) -> list[Plain]:
        """All keys, without their secrets."""
        return list(self._service.pages("/keys"))

    def revoke_key(self, key_id: str) -> Plain:
        """Make a key useless from now on."""
        return self._service.json("DELETE", f"/keys/{key_id}", repeat=True)

    def devices(self, *, hidden: bool = False) -> list[Plain]:
        """All registered machines; with `hidden`, those that were taken out of sight instead."""
        return list(self._service.pages("/devices", hidden=hidden or None))

    # --- What is taken out of sight, and merged -----------------------------------------------------------------

    def hide_measurements(self, **choice: Any) -> Plain:
        """Hide measurements, so that nothing learns from them, answers with them or lists them.

        Args:
            **choice: those that all of it fits to: `ids`, `agent` (its id, or a device's id or name), `target`,
                `graph`, `since_unix_s`, `until_unix_s`. An agent that is named without an end of time is in
                quarantine: what it reports from now on is hidden, too.
        """
        return self._service.json("POST", "/measurements/hide", json=choice, repeat=True)

    def show_measurements(self, **choice: Any) -> Plain:
        """Show hidden measurements again; takes what `hide_measurements` takes, and ends the quarantine of an agent."""
        return self._service.json("POST", "/measurements/show", json=choice, repeat=True)

    def hide(self, kind: Literal["devices", "targets", "graphs"], name: str) -> Plain:
        """Take a device, target or graph out of sight, with what was measured on it or of it."""
        return self._service.json("DELETE", f"/{kind}/{quote(name)}")

    def show(self, kind: Literal["devices", "targets", "graphs"], name: str) -> Plain:
        """Bring a hidden device, target or graph back, by its id or hash."""
        return self._service.json("POST", f"/{kind}/{quote(name)}/show")

    def rename_device(self, device: str, name: str) -> Plain:
        """Give a device a name that its agent does not change; an empty one takes it back."""
        return self._service.json("POST", f"/devices/{quote(device)}/rename", json={"name": name}, repeat=True)

    def merge(self, kind: Literal["devices", "targets"], name: str, into: str) -> Plain:
        """Give everything that a device or target has to another one: what that is now. Cannot be undone."""
        return self._service.json("POST", f"/{kind}/{quote(name)}/merge", json={"into": into})

    # --- Work of agents -----------------------------------------------------------------------------------------

    def lease(self, *, wait_s: float = 20.0) -> Plain | None:
        """A job to do; None when none came within `wait_s`."""
        timeout = httpx2.Timeout(self.timeout_s, read=wait_s + LEASE_MARGIN_S)
        response = self._service.send("POST", "/jobs/lease", json={"wait_s": wait_s}, timeout=timeout)
        return None if response.status_code == 204 else self._service.plain_of(response)

    def heartbeat(self, job_id: str, lease_token: str) -> bool:
        """Extend a lease; False when it has ended and the work should stop."""
        try:
            self._service.json("POST", f"/jobs/{job_id}/heartbeat", json={"lease_token": lease_token}, repeat=True)
        except LeaseLostError:
            return False
        return True

    def result(self, job_id: str, lease_token: str, measurement: Measurement) -> Plain:
        """Deliver a measurement; once this returns, it is on the service's disk."""
        body = {"lease_token": lease_token, "measurement": to_plain(measurement)}
        return self._service.json("POST", f"/jobs/{job_id}/result", packed_json=body, repeat=True)

    def failure(self, job_id: str, lease_token: str, failure: Failure) -> Plain:
        """Say why nothing was measured."""
        body = {"lease_token": lease_token, "failure": to_plain(failure)}
        return self._service.json("POST", f"/jobs/{job_id}/failure", json=body, repeat=True)

    # --- Graphs -------------------------------------------------------------------------------------------------

    def upload_graph(
        self,
        model: bytes | str | PathLike[str],
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Plain:
        """Store an ONNX model's graph: `hash` and what it consists of. Weights are not kept.

        Args:
            model: a whole ONNX file, its bytes or its path. Its weights are not sent; only a path leads to those that
                lie beside it.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.

        Raises:
            InputError: the model cannot be read, or what lies beside it.
        """
        sizes = {"shapes": shapes, "dims": dims}
        params = {name: json.dumps(to_plain(value)) for name, value in sizes.items() if value}
        headers = {"Content-Type": MODEL_TYPE}
        return self._service.json(
            "POST", "/graphs", content=without_weights(model), params=params, headers=headers, repeat=True
        )

    def upload_architecture(self, space: str, text: str) -> Plain:
        """Store the graph of an architecture's text: `hash` and what it consists of."""
        return self._service.json("POST", "/architectures", json={"space": space, "text": text}, repeat=True)

    def graph(self, graph_hash: GraphHash) -> Plain:
        """The summary of a stored graph: its operators, work, parameters and activations.

        Wherever a graph is named by its hash, 8 of its hexadecimal digits or more do, the first ones, as tables show
        them.

        Raises:
            NotFoundError: no stored graph has a hash that begins so.
            InputError: several have; the message lists them.
        """
        return self._service.json("GET", f"/graphs/{quote(graph_hash)}")

    def model(self, graph_hash: GraphHash) -> bytes:
        """The ONNX model of a stored graph, without its weights."""
        response = self._service.send("GET", f"/graphs/{quote(graph_hash)}/model")
        if response.headers.get("Content-Type", "").startswith(MODEL_TYPE):
            return response.content
        raise self._service.unexpected(response)

    # --- Jobs ---------------------------------------------------------------------------------------------------

    def profile(
        self,
        target: TargetId,
        *,
        graphs: Sequence[GraphHash] = (),
        architectures: Sequence[tuple[str, str]] = (),
        settings: Mapping[str, Any] | None = None,
        feeds: Sequence[FeedSpec] = (),
        priority: int = 0,
    ) -> list[Plain]:
        """Have graphs measured, one job for each: those of `graphs`, then the architectures (space, text).

        Jobs of a higher priority are done first; above 0 needs an admin's key.
        """
        body = {
            "kind": JobKind.PROFILE,
            "target": target,
            "graphs": list(graphs),
            "architectures": [{"space": space, "text": text} for space, text in architectures],
            "settings": dict(settings or {}),
            "feeds": to_plain(feeds),
            **({"priority": priority} if priority else {}),
        }
        items: list[Plain] = self._service.json("POST", "/jobs", json=body, left=JOB_LEFT)["items"]
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
        predictor: str | None = None,
        priority: int = 0,
    ) -> Plain:
        """Have `samples` graphs measured and a predictor adapted to them: the job that does it.

        Args:
            target: to adapt to.
            samples: how many graphs are measured.
            sampler: who chooses them; the service's default where left out.
            pool: what from: `{"space": …}` or `{"graphs": […]}`; the service's default spaces where left out.
            settings: how to measure, where it differs from the default.
            seed: of the pool and the choice.
            predictor: what is adapted: the id of a predictor, or a kind; left out, what answers first.
            priority: of the jobs, the higher ones first; above 0 needs an admin's key.
        """
        given = {"samples": samples, "sampler": sampler, "pool": pool, "settings": settings, "seed": seed}
        given["predictor"] = predictor
        given["priority"] = priority or None  # services of version 0.1 know none
        body = {name: value for name, value in given.items() if value is not None}
        return self._service.json("POST", f"/targets/{target}/adapt", json=body, left=JOB_LEFT)

    def jobs(self, **filters: str) -> Iterator[Plain]:
        """Jobs, newest first; filters are `state`, `kind`, `target` and `parent`."""
        return self._service.pages("/jobs", **filters)

    def job(self, job_id: str) -> Plain:
        """A job with its attempts, its children's states and its result."""
        return self._service.json("GET", f"/jobs/{job_id}")

    def cancel(self, job_id: str) -> Plain:
        """Cancel a job and the jobs it waits for."""
        return self._service.json("POST", f"/jobs/{job_id}/cancel", repeat=True)

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

    def predict(
        self,
        target: TargetId,
        items: Sequence[Mapping[str, Any]],
        *,
        level: float = 0.9,
        predictor: str | None = None,
    ) -> list[Plain]:
        """Forecasts in the order of the items (made by `item`); one that could not be answered has an `error`.

        Args:
            target: to forecast for.
            items: made by `item`.
            level: probability that the interval holds the latency, from 0.000001 to 0.999999.
            predictor: who answers, for measured networks too: the id of a predictor, or a kind; left out, measurements
                and who fits best.
        """
        body = {"target": target, "items": list(items), "level": level}
        body |= {} if predictor is None else {"predictor": predictor}
        answers: list[Plain] = self._service.json("POST", "/predict", json=body, repeat=True)["items"]
        return answers

    def predict_columns(
        self,
        target: TargetId,
        *,
        space: str | None = None,
        texts: Sequence[str] | None = None,
        graphs: Sequence[GraphHash] | None = None,
        level: float = 0.9,
    ) -> Plain:
        """Forecasts of many networks, one list for each quantity: far quicker than `predict` for thousands of them.

        Lists of any length are sent in parts of 10,000, one after the other.

        Args:
            target: to forecast for.
            space: search space of `texts`.
            texts: architectures, or
            graphs: hashes of uploaded graphs.
            level: probability that the intervals hold the latencies, from 0.000001 to 0.999999.

        Returns:
            `latency_ms`, `low_ms`, `high_ms`, `measured` and `coverage`, a list each in the order of the networks;
            `errors` by place; `predictor`, `kind`, `adapted`, `measurements`, `origin`, `warning` (what to know of the
            predictor) and `descriptor` (the evidence that describes the device to it), None where parts differ.

        Raises:
            InputError: not one of `texts` (with a space) and `graphs`, or the service cannot use them.
            ConflictError: no predictor answers.
        """
        if (texts is None) == (graphs is None) or (space is None) != (texts is None):
            raise InputError("Give either `space` with `texts`, or `graphs`.")
        name, names = ("texts", list(texts)) if texts is not None else ("graphs", list(graphs or ()))
        if not names:
            raise InputError(f"`{name}` is empty.")
        body = {"target": target, "level": level} | ({} if space is None else {"space": space})
        parts = [
            self._service.json("POST", "/predict", json=body | {name: names[start : start + MOST_COLUMNS]}, repeat=True)
            for start in range(0, len(names), MOST_COLUMNS)
        ]
        return joined(parts)

    def predict_on(
        self, targets: Sequence[TargetId | RemoteTarget], networks: Sequence[Any], **options: Any
    ) -> dict[TargetId, Forecasts]:
        """Forecasts of the same networks on several targets, asked for together.

        Args:
            targets: ids, or what `target` gave, which remembers its answers.
            networks: as `RemoteTarget.predict` takes them.
            **options: of `RemoteTarget.predict`.

        Returns:
            Columns by the target's id, in the order of the targets.

        Raises:
            LatcastError: what one of the targets cannot be asked.
        """
        asked = [one if isinstance(one, RemoteTarget) else self.target(one) for one in targets]
        with ThreadPoolExecutor(max(1, min(TARGETS_AT_A_TIME, len(asked)))) as pool:
            forecasts = pool.map(lambda one: one.predict(networks, **options), asked)
            return {one.id: columns for one, columns in zip(asked, forecasts, strict=True)}

    def explain(self, target: TargetId, item: Mapping[str, Any], *, level: float = 0.9, nearest: int = 5) -> Plain:
        """The forecast of an item, as `predict` gives it, and why it is what it is.

        Args:
            target: to forecast for.
            item: made by `item`.
            level: probability that the interval holds the latency, from 0.000001 to 0.999999.
            nearest: measured networks, and proposals of what to measure, at most; 0 looks for neither, which is faster.

        Returns:
            What `predict` answers, with its `kernels`, the target's `peaks`, the `nearest` measured networks, and what
            to `measure_next`; see the API's description.

        Raises:
            InputError: the service cannot use the item.
            ConflictError: no predictor answers for it.
        """
        params = {"level": level, "nearest": nearest}
        return self._service.json("POST", f"/targets/{target}/explain", json=dict(item), params=params, repeat=True)

    def quality(self, target: TargetId) -> list[Plain]:
        """Every measured graph beside its forecast."""
        pairs: list[Plain] = self.quality_over_time(target)["pairs"]
        return pairs

    def quality_over_time(self, target: TargetId) -> Plain:
        """A target's forecasts beside what was measured later.

        Returns:
            `pairs`, as `quality` gives them, and `over_time`: forecasts as they stood when their networks were
            measured, with the share of intervals that held (`coverage`), the error, the machine's speed (`host`), what
            is wrong (`flags`, a sentence each) and all of it by `periods`.
        """
        return self._service.json("GET", f"/targets/{target}/quality")

    def contenders(self, target: TargetId) -> list[Plain]:
        """Who contends to answer for graphs and for measured search spaces, and how far each is believed."""
        spaces: list[Plain] = self._service.json("GET", f"/targets/{target}/contenders")["spaces"]
        return spaces

    # --- Predictors ---------------------------------------------------------------------------------------------

    def train(
        self,
        predictor: str,
        *,
        targets: Sequence[TargetId] = (),
        spaces: Sequence[str] = (),
        since_unix_s: float | None = None,
        tables: bool | None = None,
        rows_per_target: int | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        folds: int = 4,
        target_folds: int = 4,
        activate: bool = False,
        workers: int | None = None,
    ) -> Plain:
        """Have a predictor trained on measurements: the job that does it. Its result names the predictor.

        Args:
            predictor: kind of the predictor, built in or a plug-in's.
            targets: whose measurements count; all where left out.
            spaces: search spaces whose networks count; all networks where left out.
            since_unix_s: time of the oldest measurement that counts.
            tables: whether public tables count; left out, where targets are named, or where the predictor reads
                architectures alone.
            rows_per_target: most measurements of each target, at random.
            hyperparameters: arguments of the predictor's constructor.
            seed: of everything random.
            folds: parts of the networks that are held out in turn; 0 holds out none.
            target_folds: the same of the targets, where there are three or more.
            activate: let it answer, and be adapted, as soon as it is trained.
            workers: processes that do it, no more than the worker has cores; its own number where left out.
        """
        body = {
            "kind": "train",
            "predictor": predictor,
            "targets": list(targets),
            "spaces": list(spaces),
            "since_unix_s": since_unix_s,
            "tables": tables,
            "rows_per_target": rows_per_target,
            "hyperparameters": dict(hyperparameters or {}),
            "seed": seed,
            "folds": folds,
            "target_folds": target_folds,
            "activate": activate,
            "workers": workers,
        }
        job: Plain = self._service.json("POST", "/jobs", json=body, left=JOB_LEFT)["items"][0]
        return job

    def predictors(self) -> list[Plain]:
        """Base predictors that were trained here, newest first."""
        return list(self._service.pages("/predictors"))

    def predictor(self, predictor_id: str) -> Plain:
        """A base predictor: its kind, data and figures."""
        return self._service.json("GET", f"/predictors/{predictor_id}")

    def predictor_card(self, predictor_id: str) -> str:
        """What a predictor was trained on, and how well it forecasts what was held out; Markdown."""
        return self._service.send("GET", f"/predictors/{predictor_id}/card").text

    def predictor_calibration(self, predictor_id: str) -> str:
        """How often held-out latencies lay within a predictor's intervals; SVG."""
        return self._service.send("GET", f"/predictors/{predictor_id}/calibration.svg").text

    def activate_predictor(self, predictor_id: str) -> Plain:
        """Let a predictor answer for targets without an adaptation, and be adapted, before older ones."""
        return self._service.json("POST", f"/predictors/{predictor_id}/activate", repeat=True)

    def deactivate_predictor(self, predictor_id: str) -> Plain:
        """Let a predictor answer only where it is asked for by name; adaptations of it stay."""
        return self._service.json("POST", f"/predictors/{predictor_id}/deactivate", repeat=True)

    def remove_predictor(self, predictor_id: str) -> Plain:
        """Remove a predictor, and what was adapted of it.

        Raises:
            ConflictError: targets are answered for by adaptations of it.
        """
        return self._service.json("DELETE", f"/predictors/{predictor_id}")

    # --- Targets and their data ---------------------------------------------------------------------------------

    def targets(self, *, hidden: bool = False) -> list[Plain]:
        """All targets; with `hidden`, those that were taken out of sight instead."""
        return list(self._service.pages("/targets", hidden=hidden or None))

    def target(self, target: TargetId) -> RemoteTarget:
        """One target: a dictionary with the adaptation that answers for it, and `predict` for search loops."""
        return RemoteTarget(self, self._service.json("GET", f"/targets/{target}"))

    def find_target(self, wanted: str | None = None) -> RemoteTarget:
        """The one target that is meant by an id, the beginning of one, a device's name, or words of device and label.

        None means the only target, or the only one that is offered.

        Raises:
            InputError: no target, or more than one, fits; the message lists them.
        """
        return self.target(find_target(self.targets(), wanted)["id"])

    def microbench(self, target: TargetId) -> Plain | None:
        """The hardware descriptor of a target: `microbench` and `created_unix_s`; None where it has none."""
        try:
            return self._service.json("GET", f"/targets/{target}/microbench")
        except NotFoundError:
            return None

    def put_microbench(self, microbench: Microbench) -> Plain:
        """Report the hardware descriptor of a target of the agent's device."""
        path = f"/targets/{microbench.target.id}/microbench"
        return self._service.json("PUT", path, json=to_plain(microbench), repeat=True)

    def measurements(self, target: TargetId, **filters: Any) -> Iterator[Plain]:
        """Measurements with their summaries; filters are `sort`, `outcome`, `noisy`, `graph` and `space`."""
        return self._service.pages(f"/targets/{target}/measurements", **filters)

    def measurement(self, measurement_id: int) -> Measurement:
        """One measurement with every sample, kernel and counter."""
        return from_plain(Measurement, self._service.json("GET", f"/measurements/{measurement_id}")["measurement"])

    def export(self, target: TargetId, path: Path, *, file_format: Literal["csv", "parquet"] = "parquet") -> None:
        """Write a target's measurements into a file."""
        self._service.download(f"/targets/{target}/dataset.{file_format}", path)

    def download_predictor(self, target: TargetId, space: str, path: Path) -> None:
        """Write the predictor that answers for architectures of a space, adapted to the target, into a file.

        Raises:
            ConflictError: none is adapted.
        """
        self._service.download(f"/targets/{target}/predictor?space={quote(space)}", path)

    def readiness(self) -> Plain:
        """Whether the service can work: `ready`, and the state of its `parts`."""
        return self._service.readiness()

    def is_ready(self) -> bool:
        """Whether the service answers and can work; False while it cannot be reached."""
        try:
            return bool(self.readiness()["ready"])
        except UnavailableError:
            return False
