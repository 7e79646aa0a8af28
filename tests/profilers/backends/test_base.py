"""What a backend is by default."""

from latcast.schema import ProfileSettings
from profilers.backends.base import KernelRecord
from profilers.backends.fake import FakeBackend


def test_a_model_needs_no_preparation_unless_a_backend_says_so() -> None:
    assert FakeBackend().prepare(b"model", ProfileSettings()) == b"model"
    assert FakeBackend.prepared_precisions == frozenset()


def test_a_kernel_may_lead_back_to_nothing() -> None:
    record = KernelRecord(operator="Reorder", time_us=1.5)
    assert (record.outputs, record.input_shapes, record.output_shapes, record.dtype) == ((), (), (), "")
