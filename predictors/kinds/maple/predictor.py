"""MAPLE: latency from the network and a descriptor of the hardware (Abbasi, Wong and Shafiee, 2021).

https://arxiv.org/abs/2111.15106; MAPLE-Edge (Nair et al., 2022, https://arxiv.org/abs/2204.12950) for other runtimes.
"""

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from latcast.schema import DeviceEvidence, InputError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest
from predictors.features.cells import SPACES
from predictors.features.descriptors import DESCRIPTORS, Described, DescriptorReader
from predictors.kinds.maple.network import MapleNet
from predictors.kinds.network_encoders import (
    CellEncoder,
    GraphEncoder,
    NetworkEncoder,
    are_cells,
    stored_encoder,
)
from predictors.kinds.torch_training import Training, load_parameters, minibatches, seeded, stored_parameters, train
from profilers.progress import no_progress, part_of_progress

__all__ = ["MaplePredictor"]

_REHEARSED = 512
_ENCODING = 0.9
"""Share of the progress that training a graph network takes, about."""


class MaplePredictor(Predictor):
    """A dense network from the network and the device's descriptor to log latency.

    Rows of one search space are read as the papers do, one-hot by position. Of anything else graphs are read, by frozen
    embeddings of a graph network that is trained first (`predictors.kinds.network_encoders.GraphEncoder`); the dense
    network learns what its forecast leaves.

    The authors published no code; sizes and epochs are ours. Further departures:

    - The papers' descriptor is performance counters while the operators of the search space run, which MAPLE-Edge
      divides by the operators' latency; here they follow from whole networks (`predictors.data.counter_rates`).
      Where a device has none, microbenchmarks or the latencies of reference architectures take their place;
      `descriptor`, the artifact and the answers say which.
    - With reference latencies, these also give the device's unit of time.
    - The papers train anew with the target's few rows among the others, heavily weighted. An artifact holds no rows, so
      `adapt` goes on training: on the target's rows, and on what the network itself forecasts for random architectures
      (of graphs: those of training) on the devices of training, which keeps what was learned.

    Args:
        descriptor: `counters`, `microbench`, `reference_latency_ms`, or `auto`: the first that all targets have.
        width: of the hidden layers.
        layers: hidden ones.
        epochs: of training.
        adaptation_steps: gradient steps of an adaptation.
        learning_rate: of Adam.
        batch_size: rows of a step.
        support_weight: of the target's rows in the loss of an adaptation; all the rehearsed ones together weigh 1.
        encoder_epochs: of the graph network, for graphs.
        encoder_width: of the graph network.
        encoder_layers: of the graph network.
        seed: of initial weights, order of rows and rehearsal.
    """

    kind: ClassVar[str] = "maple"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}),
        spaces=SPACES,
        empty_support=True,
        any_evidence=frozenset(DESCRIPTORS),
        trains_to_adapt=True,
        features=frozenset({"record", "costs"}),
    )

    def __init__(
        self,
        *,
        descriptor: str = "auto",
        width: int = 128,
        layers: int = 3,
        epochs: int = 60,
        adaptation_steps: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        support_weight: float = 10.0,
        encoder_epochs: int = 60,
        encoder_width: int = 64,
        encoder_layers: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        if descriptor not in {"auto", *DESCRIPTORS}:
            raise InputError(f"descriptor is 'auto' or one of {', '.join(DESCRIPTORS)}, not {descriptor!r}.")
        self.descriptor, self.width, self.layers = descriptor, width, layers
        self.epochs, self.adaptation_steps = epochs, adaptation_steps
        self.learning_rate, self.batch_size, self.support_weight = learning_rate, batch_size, support_weight
        self.encoder_epochs, self.encoder_width, self.encoder_layers = encoder_epochs, encoder_width, encoder_layers
        self.net_: MapleNet | None = None
        self.adapted_: Described | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from rows of several targets with their evidence; there is nothing to validate."""
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        self.reader_ = DescriptorReader.fit(data, self.descriptor)
        described = {
            target: self.reader_.read(data.subset([]), target, data.evidence[target]) for target in data.targets()
        }
        self.devices_: Mapping[TargetId, Described] = described
        self.encoder_, report = self._encoder(data, progress)
        encoded = self.encoder_.encode(data.queries)
        labels = self._relative(data, described) - encoded.start
        self.level_, self.spread_ = float(labels.mean()), float(labels.std()) or 1.0
        x = torch.from_numpy(encoded.features).float()
        hardware = torch.from_numpy(np.stack([described[query.target.id].vector for query in data.queries]))
        y = torch.from_numpy(((labels - self.level_) / self.spread_).astype(np.float32))
        rng = np.random.default_rng(self.seed)
        with seeded(self.seed):
            net = MapleNet(x.shape[1] + hardware.shape[1], width=self.width, layers=self.layers)
            train(
                net,
                lambda: minibatches(len(y), self.batch_size, rng),
                lambda rows: torch.mean((net(x[rows], hardware[rows].float()) - y[rows]) ** 2),
                Training(epochs=self.epochs, learning_rate=self.learning_rate, schedule="cosine", keep_best=False),
                progress=report,
            )
        self.net_, self.adapted_ = net, None
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Go on training with the target's rows and rehearsed ones; without rows the descriptor alone speaks."""
        self.require_fitted("net_")
        described = self.reader_.read(support, target.id, evidence)
        adapted = copy(self)
        adapted.adapted_ = described
        if len(support):
            adapted.net_ = self._tuned(support, described)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, targets of training are known by their descriptor, others by the mean of these."""
        self.require_fitted("net_")
        if not queries:
            return Prediction(median_ms=np.empty(0))
        encoded = self.encoder_.encode(queries)
        x = torch.from_numpy(encoded.features)
        devices = [self.adapted_ or self.devices_.get(query.target.id) or self._mean_device() for query in queries]
        hardware = torch.from_numpy(np.stack([device.vector for device in devices]))
        with torch.no_grad():
            z = deepcopy(self._net).double()(x, hardware).numpy()
        units = np.array([device.unit_ms for device in devices])
        return Prediction(median_ms=units * np.exp(encoded.start + self.level_ + self.spread_ * z))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there; of graphs, of their cost in such operators."""
        self.require_fitted("net_")
        return self.encoder_.coverage(queries)

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Those of a graph that training has not seen."""
        self.require_fitted("net_")
        return self.encoder_.unknown_operators(query)

    def fitted_capabilities(self) -> Capabilities:
        """Architectures of one space, or graphs, whichever it learned from."""
        return self.capabilities if self.net_ is None else self.encoder_.narrowed(self.capabilities)

    def references(self) -> tuple[str, ...]:
        """Those that describe a device, where these do."""
        self.require_fitted("net_")
        return self.reader_.names if self.reader_.kind == "reference_latency_ms" else ()

    def device_descriptor(self) -> str | None:
        """What describes devices, chosen when it was fitted."""
        self.require_fitted("net_")
        return self.reader_.kind

    def to_artifact(self) -> Artifact:
        """Parameters, and the descriptors of the devices of training; `meta` says what describes a device."""
        arrays = stored_parameters(self._net, "net.")
        devices = list(self.devices_.values())
        arrays |= {
            "centre": self.reader_.centre,
            "spread": self.reader_.spread,
            "labels": np.array([self.level_, self.spread_]),
            "vectors": np.array([device.vector for device in devices]),
            "units_ms": np.array([device.unit_ms for device in devices]),
        }
        if self.adapted_ is not None:
            arrays |= {"adapted": self.adapted_.vector, "adapted_ms": np.array([self.adapted_.unit_ms])}
        return self.make_artifact(
            arrays=arrays | self.encoder_.to_arrays(),
            vocabulary={
                **self.encoder_.vocabulary(),
                "targets": list(self.devices_),
                "descriptor": list(self.reader_.names),
            },
            feature_version=self.encoder_.feature_version,
            meta={"descriptor": self.reader_.kind},
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        predictor.encoder_ = stored_encoder(artifact)
        predictor.reader_ = DescriptorReader(
            kind=str(artifact.meta.get("descriptor")),
            names=tuple(artifact.vocabulary_entry("descriptor")),
            centre=artifact.array("centre", ndim=1),
            spread=artifact.array("spread", ndim=1),
        )
        predictor.level_, predictor.spread_ = (float(value) for value in artifact.array("labels", ndim=1))
        stored = zip(artifact.array("vectors", ndim=2), artifact.array("units_ms", ndim=1), strict=True)
        devices = [Described(vector=vector, unit_ms=float(unit)) for vector, unit in stored]
        predictor.devices_ = dict(zip(artifact.vocabulary_entry("targets"), devices, strict=True))
        if "adapted" in artifact.arrays:
            unit_ms = float(artifact.array("adapted_ms", ndim=1)[0])
            predictor.adapted_ = Described(vector=artifact.array("adapted", ndim=1), unit_ms=unit_ms)
        features = predictor.encoder_.width + len(predictor.reader_.names)
        net = MapleNet(features, width=predictor.width, layers=predictor.layers)
        load_parameters(net, artifact.arrays, "net.")
        predictor.net_ = net.eval()
        return predictor

    def _encoder(self, data: LatencyDataset, progress: Progress | None) -> tuple[NetworkEncoder, Progress | None]:
        """The encoder of the rows' networks, and where the progress of what is left of the training goes."""
        if are_cells(data.queries):
            return CellEncoder.fit(data), progress
        report = progress or no_progress
        encoder = GraphEncoder.fit(
            data,
            epochs=self.encoder_epochs,
            width=self.encoder_width,
            layers=self.encoder_layers,
            seed=self.seed,
            progress=part_of_progress(report, 0.0, _ENCODING),
        )
        return encoder, part_of_progress(report, _ENCODING, 1.0)

    @property
    def _net(self) -> MapleNet:
        self.require_fitted("net_")
        assert self.net_ is not None  # noqa: S101 - just checked
        return self.net_

    @staticmethod
    def _relative(data: LatencyDataset, devices: Mapping[TargetId, Described]) -> FloatArray:
        """Log latency in each device's unit, float64 (n,)."""
        return np.log(data.latency_ms / [devices[query.target.id].unit_ms for query in data.queries])

    def _mean_device(self) -> Described:
        vector = np.mean([device.vector for device in self.devices_.values()], axis=0)
        unit_ms = float(np.exp(np.mean([np.log(device.unit_ms) for device in self.devices_.values()])))
        return Described(vector=vector, unit_ms=unit_ms)

    def _tuned(self, support: LatencyDataset, device: Described) -> MapleNet:
        encoded = self.encoder_.encode(support.queries)
        x = torch.from_numpy(encoded.features).float()
        hardware = torch.from_numpy(device.vector).float().expand(len(x), -1)
        labels = np.log(support.latency_ms / device.unit_ms) - encoded.start
        y = torch.from_numpy(((labels - self.level_) / self.spread_).astype(np.float32))
        rng = np.random.default_rng(self.seed)
        rehearsed_x, rehearsed_hardware = self._rehearsal(rng)
        with torch.no_grad():
            rehearsed_y = self._net(rehearsed_x, rehearsed_hardware)
        net = deepcopy(self._net)

        def loss(rows: Tensor) -> Tensor:
            kept = torch.mean((net(rehearsed_x[rows], rehearsed_hardware[rows]) - rehearsed_y[rows]) ** 2)
            return kept + self.support_weight * torch.mean((net(x, hardware) - y) ** 2)

        steps = Training(
            epochs=self.adaptation_steps, learning_rate=self.learning_rate, schedule="cosine", keep_best=False
        )
        train(net, lambda: [torch.from_numpy(rng.integers(len(rehearsed_x), size=self.batch_size))], loss, steps)
        return net

    def _rehearsal(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random networks on random devices of training."""
        x = self.encoder_.rehearsal(rng, _REHEARSED)
        vectors = np.array([device.vector for device in self.devices_.values()])
        chosen = vectors[rng.integers(len(vectors), size=_REHEARSED)]
        return torch.from_numpy(x.features).float(), torch.from_numpy(chosen).float()
