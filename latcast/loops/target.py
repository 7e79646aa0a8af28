"""One target of a service, as a search loop uses it."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from latcast.errors import ConflictError, NotFoundError
from latcast.loops.forecasts import Forecasts, Row, column, facts_of, forecasts_of_rows, rows_of_columns, rows_of_items
from latcast.loops.memory import AnswerMemory
from latcast.loops.networks import Network, columns_call, item_calls, item_of, parts_of
from latcast.loops.torch_modules import is_module
from latcast.schema import InputError, TargetId

__all__ = ["WORK", "AsyncRemoteTarget", "RemoteTarget", "listed"]

WORK = ("macs", "flops", "parameter_bytes", "activation_bytes", "arithmetic_intensity")
"""What is said of an architecture's graph, besides its latency."""
FACTS = {"macs": "macs", "flops": "flops", "params": "parameter_bytes", "activations": "activation_bytes"}
"""Names of `include` for the part of `WORK` that comes with forecasts, and of their columns."""
WORK_OF_CALL = 200
"""Texts of one call for that: of some spaces each has its graph built, in some 15 ms."""
AT_A_TIME = 4
"""Calls for parts of one list that are under way together."""
LEARNT_LOOK_S = 0.5
"""How often it is asked whether forecasts rest on what was measured."""
PATIENCE_S = 120.0
"""How long a call waits altogether for a service that says when to come again."""
POST = {"repeat": True, "patience_s": PATIENCE_S}


class _Described(dict[str, Any]):
    """A target as the service describes it (`GET /v1/targets/{id}`), with what was answered about its networks."""

    def __init__(self, plain: Mapping[str, Any]) -> None:
        super().__init__(plain)
        self._memory = AnswerMemory()

    @property
    def id(self) -> TargetId:
        """Id of the target."""
        return str(self["id"])

    @property
    def _state_path(self) -> str:
        return f"/targets/{self.id}/state"


class _Asked:
    """One question about texts: what of it is to be asked, and what comes of the answers.

    Args:
        target: whose memory is used.
        space: search space of the texts.
        texts: n of them.
        level: probability that an interval holds.
    """

    def __init__(self, target: _Described, space: str, texts: Sequence[str], level: float) -> None:
        self._id, self._memory = target.id, target._memory
        self._space, self._texts, self._level = space, list(texts), float(level)
        self._missing = self._memory.missing(space, self._level, self._texts)

    def bodies(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """Calls for what is not known; `whole` is for everything."""
        if whole:
            self._missing = list(dict.fromkeys(self._texts))
        return [columns_call(self._id, self._space, part, self._level) for part in parts_of(self._missing)]

    def forecasts(self, answers: Sequence[Mapping[str, Any]]) -> Forecasts | None:
        """The answer to the question; None where something is not remembered any more."""
        rows: Iterator[Row] = (row for answer in answers for row in rows_of_columns(answer))
        fresh = dict(zip(self._missing, rows, strict=True))
        if answers:
            self._memory.learn(self._space, self._level, fresh, facts_of(answers))
        found, facts = self._memory.rows(self._space, self._level, self._texts, fresh)
        return None if found is None else forecasts_of_rows(found, level=self._level, facts=facts)

    def whole(self, answers: Sequence[Mapping[str, Any]]) -> Forecasts:
        """The answer to the question out of the answers to everything."""
        found = self.forecasts(answers)
        assert found is not None  # noqa: S101 - nothing was left out
        return found


class RemoteTarget(_Described):
    """A target and its forecasts, made by `Client.target`. Thread-safe; goes to other processes with its client.

    It is the dictionary that `GET /v1/targets/{id}` answers, as of when it was made.

    Args:
        client: of the service.
        plain: the description.
    """

    def __init__(self, client: Any, plain: Mapping[str, Any]) -> None:
        super().__init__(plain)
        self._client = client
        self._work: dict[tuple[str, str], dict[str, float]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteTarget, (self._client, dict(self))

    def measure(
        self,
        texts: Sequence[str],
        *,
        space: str,
        timeout_s: float = 3600.0,
        learn_s: float = 0.0,
        settings: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Have architectures measured on the device, and wait until that is done: their jobs, in order.

        Args:
            texts: architectures of the space.
            space: search space of the texts.
            timeout_s: how long to wait for all of them, in s.
            learn_s: how long to wait after that until forecasts rest on them, too, in s. They mostly do within two; a
                target that is not adapted, and one that has learnt enough, never will.
            settings: how to measure, where it differs from the default.

        Raises:
            UnavailableError: they are not finished in time.
        """
        jobs = self.ask_for(texts, space=space, settings=settings)
        until = time.monotonic() + timeout_s
        done = [self._client.wait(job["id"], timeout_s=max(0.0, until - time.monotonic())) for job in jobs]
        if learn_s > 0:
            self._wait_until_learnt(max((job["updated_unix_s"] for job in done), default=0.0), learn_s)
        self._memory.expire()
        return done

    def _wait_until_learnt(self, measured_unix_s: float, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            adaptation = self._client.call("GET", f"/targets/{self.id}")["adaptation"]
            if adaptation is None or adaptation["created_unix_s"] >= measured_unix_s:
                return
            time.sleep(min(LEARNT_LOOK_S, timeout_s))

    def ask_for(
        self, texts: Sequence[str], *, space: str, settings: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Have architectures measured on the device, without waiting for it: their jobs, in order."""
        architectures = [(space, text) for text in texts]
        jobs: list[dict[str, Any]] = self._client.profile(self.id, architectures=architectures, settings=settings)
        return jobs

    def work(self, texts: Iterable[str], *, space: str) -> dict[str, Any]:
        """What one run of each architecture takes, as columns; what was asked for once is remembered for good.

        Args:
            texts: n architectures of the space.
            space: search space of the texts.

        Returns:
            `macs`, `flops`, `parameter_bytes`, `activation_bytes` and `arithmetic_intensity`, (n,) each.

        Raises:
            InvalidArchitectureError: a text is no architecture.
        """
        texts = listed(texts)
        missing = [text for text in dict.fromkeys(texts) if (space, text) not in self._work]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for answered in pool.map(lambda part: self._work_of(space, part), parts_of(missing, most=WORK_OF_CALL)):
                self._work.update({(space, text): work for text, work in answered.items()})
            left = [text for text in missing if (space, text) not in self._work]
            for text, graph in zip(left, pool.map(lambda text: self._graph(space, text), left), strict=True):
                self._work[space, text] = {name: graph[name] for name in WORK}
        return {name: column([self._work[space, text][name] for text in texts]) for name in WORK}

    def lookup_table(self, space: str, *, samples: int = 1000) -> dict[str, Any]:
        """What each option of a search space costs at each position: `GET /v1/targets/{id}/lookup-table`.

        Args:
            space: search space whose architectures have fixed positions.
            samples: architectures at random that it is made of.

        Raises:
            InputError: there is no such space, or it has no fixed positions.
            ConflictError: no predictor answers.
        """
        params = {"space": space, "samples": samples}
        table: dict[str, Any] = self._client.call("GET", f"/targets/{self.id}/lookup-table", params=params)
        return table

    def _work_of(self, space: str, texts: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Work by text, as forecasts say it in one call; texts are left out whose graphs have to be asked for."""
        body = {"target": self.id, "space": space, "texts": list(texts), "include": list(FACTS)}
        try:
            answer = self._client.call("POST", "/predict", json=body, **POST)
        except (ConflictError, InputError):  # nobody forecasts for the target, or a service of before these facts
            return {}
        columns = [answer.get(name) or [None] * len(texts) for name in FACTS.values()]
        rows = (dict(zip(FACTS.values(), row, strict=True)) for row in zip(*columns, strict=True))
        return {text: _with_intensity(row) for text, row in zip(texts, rows, strict=True) if None not in row.values()}

    def _graph(self, space: str, text: str) -> dict[str, Any]:
        body = {"space": space, "text": text}
        graph: dict[str, Any] = self._client.call("POST", "/architectures", json=body, **POST)
        return graph

    def predict(
        self,
        networks: Iterable[Network] | Network,
        *,
        space: str | None = None,
        level: float = 0.9,
        inputs: Sequence[Sequence[int]] | None = None,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Forecasts:
        """Forecasts of any number of networks, in their order.

        Long lists are asked for in parts that are under way together. A service that is busy is waited for. Answers to
        texts are remembered until something of the target changes: a measurement, its adaptation.

        Args:
            networks: texts of `space`; without it paths or bytes of ONNX models, torch modules, hashes of uploaded
                graphs, or what `latcast.item` makes, mixed as you like.
            space: search space of texts.
            level: probability that an interval holds the latency, from 0.000001 to 0.999999.
            inputs: shape of each input of torch modules.
            shapes: whole shape of each input of ONNX models that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions.

        Raises:
            InputError: a network is nothing that can be asked about; the service cannot use the question.
            ConflictError: no predictor answers.
            RateLimitedError, UnavailableError: the service was busy or away for longer than two minutes.
        """
        if space is not None:
            return self._of_texts(space, texts_of(networks), level)
        items = [item_of(one, inputs=inputs, shapes=shapes, dims=dims) for one in listed(networks)]
        answers = [one for answer in self._posted(item_calls(self.id, items, level)) for one in answer["items"]]
        return forecasts_of_rows(list(rows_of_items(answers)), level=level, facts=facts_of(answers))

    def _of_texts(self, space: str, texts: Sequence[str], level: float) -> Forecasts:
        if self._memory.needs_look:
            self._memory.saw(self._state())
        asked = _Asked(self, space, texts, level)
        found = asked.forecasts(self._posted(asked.bodies()))
        return found or asked.whole(self._posted(asked.bodies(whole=True)))

    def _state(self) -> str | None:
        """What the target's forecasts depend on; None of a service that does not say it."""
        try:
            return str(self._client.call("GET", self._state_path, patience_s=PATIENCE_S)["state"])
        except NotFoundError:
            return None

    def _posted(self, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        if len(bodies) < 2:
            return [self._post(body) for body in bodies]
        with ThreadPoolExecutor(min(AT_A_TIME, len(bodies))) as pool:
            return list(pool.map(self._post, bodies))

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.call("POST", "/predict", json=body, **POST)
        return answer


class AsyncRemoteTarget(_Described):
    """A target and its forecasts on an event loop, made by `AsyncClient.target`; see `RemoteTarget`.

    Args:
        client: of the service.
        plain: the description.
    """

    def __init__(self, client: Any, plain: Mapping[str, Any]) -> None:
        super().__init__(plain)
        self._client = client

    async def predict(
        self,
        networks: Iterable[Network] | Network,
        *,
        space: str | None = None,
        level: float = 0.9,
        inputs: Sequence[Sequence[int]] | None = None,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Forecasts:
        """Forecasts of any number of networks, in their order; arguments and errors are `RemoteTarget.predict`'s."""
        if space is not None:
            return await self._of_texts(space, texts_of(networks), level)
        made = [asyncio.to_thread(item_of, one, inputs=inputs, shapes=shapes, dims=dims) for one in listed(networks)]
        items = await asyncio.gather(*made)
        answers = [one for answer in await self._posted(item_calls(self.id, items, level)) for one in answer["items"]]
        return forecasts_of_rows(list(rows_of_items(answers)), level=level, facts=facts_of(answers))

    async def _of_texts(self, space: str, texts: Sequence[str], level: float) -> Forecasts:
        if self._memory.needs_look:
            self._memory.saw(await self._state())
        asked = _Asked(self, space, texts, level)
        found = asked.forecasts(await self._posted(asked.bodies()))
        return found or asked.whole(await self._posted(asked.bodies(whole=True)))

    async def _state(self) -> str | None:
        try:
            return str((await self._client.call("GET", self._state_path, patience_s=PATIENCE_S))["state"])
        except NotFoundError:
            return None

    async def _posted(self, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        at_a_time = asyncio.Semaphore(AT_A_TIME)

        async def post(body: Mapping[str, Any]) -> dict[str, Any]:
            async with at_a_time:
                answer: dict[str, Any] = await self._client.call("POST", "/predict", json=body, **POST)
                return answer

        return await asyncio.gather(*map(post, bodies))


def listed(networks: Iterable[Network] | Network) -> list[Network]:
    """Networks as a list, whether one was given or many."""
    single = isinstance(networks, str | bytes | Mapping) or is_module(networks) or not isinstance(networks, Iterable)
    return [networks] if single else list(networks)


def texts_of(networks: Iterable[Network] | Network) -> list[str]:
    """Networks that have to be texts.

    Raises:
        InputError: one is not.
    """
    texts = listed(networks)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"With `space` every network is a text, not {type(text).__name__}.")
    return texts


def _with_intensity(work: Mapping[str, Any]) -> dict[str, Any]:
    moved = work["parameter_bytes"] + work["activation_bytes"]
    return {**work, "arithmetic_intensity": work["flops"] / moved if moved else 0.0}
