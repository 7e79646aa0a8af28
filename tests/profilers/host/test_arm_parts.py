"""Names of Arm cores, which only say their numbers."""

import pytest

from profilers.host.arm_parts import arm_processor


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        (("0x41", "0xd0b"), "Cortex-A76"),
        (("0x41", "0xfff"), "ARM part 0xfff"),
        (("0x99", "0x001"), "implementer 0x99 part 0x001"),
        (("", ""), ""),
    ],
)
def test_arm_cores_get_names(numbers: tuple[str, str], name: str) -> None:
    assert arm_processor(*numbers) == name
