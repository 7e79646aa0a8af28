"""What is tuned trains only networks that keep the limits, and travels to workers."""

from latcast.adapters.ray_tune import trainable
from latcast.constraints import Feasible
from tests.latcast.doubles import FakeTarget


def test_only_what_keeps_the_limits_is_trained() -> None:
    trained: list[str] = []

    def train(_config: object, text: str) -> dict[str, float]:
        trained.append(text)
        return {"accuracy": float(text)}

    tried = trainable(
        Feasible(FakeTarget(float), 5.0, space="toy"),  # type: ignore[arg-type]
        text_of=lambda config: str(config["n"]), train=train, metric="accuracy", worst=0.0,
    )  # fmt: skip
    good, bad = tried({"n": 2}), tried({"n": 9})
    assert trained == ["2"]
    assert good["accuracy"] == 2.0
    assert good["feasible"] == 1.0
    assert bad["accuracy"] == 0.0
    assert bad["latency_ms"] == 9.0
    assert bad["violation"] > 0 >= good["violation"]
