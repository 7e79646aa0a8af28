"""What a network is kin to."""

import pytest

from latcast.schema import Architecture
from profilers.search_spaces.families import family_of


@pytest.mark.parametrize(
    ("space", "text", "family"),
    [
        ("zoo", "mobile/width=8", "zoo/mobile"),
        ("nasbench201", "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "nasbench201"),
        ("kernels", "gemm", "kernels/gemm"),
    ],
)
def test_families(space: str, text: str, family: str) -> None:
    assert family_of(Architecture(space=space, text=text)) == family


def test_networks_of_a_space_that_is_not_installed_any_more_are_of_its_name() -> None:
    """Their measurements stay, and adaptations read them."""
    assert family_of(Architecture(space="nowhere", text="a/b")) == "nowhere"
