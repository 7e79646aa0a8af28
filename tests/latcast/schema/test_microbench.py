"""Microbenchmarks as records."""

from latcast.schema import Microbench, Target, from_plain, to_plain


def test_a_run_survives_the_way_to_plain_values_and_back() -> None:
    bench = Microbench(
        target=Target(device="d", backend="b"), values={"call_ms": 0.5}, spread={"call_ms": 0.1},
        missing={"gemm_512_ms": "It hung."}, sentinel_ms=(1.0, 1.1), noisy=True, seconds=3.0,
    )  # fmt: skip
    assert from_plain(Microbench, to_plain(bench)) == bench
    assert Microbench(target=bench.target, values={}).version == bench.version
