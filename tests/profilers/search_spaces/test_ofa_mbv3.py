"""Once-for-all's MobileNetV3: the conformance suite, and the published figures."""

import json

import numpy as np
import onnx
import pytest

from latcast.schema import InvalidArchitectureError
from profilers.onnx_graph import load_graph
from profilers.search_spaces.ofa_mbv3 import OFAMobileNetV3
from profilers.testing.search_spaces import SearchSpaceSuite

SPACE = OFAMobileNetV3()
# The first architecture of HELP's list, as its file has it.
SETTINGS = {
    "kernels": [7, 5, 5, 5, 7, 7, 5, 7, 5, 7, 3, 7, 5, 3, 7, 3, 5, 3, 5, 3],
    "expansions": [6, 4, 4, 6, 6, 3, 4, 3, 3, 6, 3, 3, 3, 6, 3, 4, 6, 4, 3, 6],
    "depths": [2, 2, 2, 2, 3],
    "resolution": 204,
}


class TestOFAMobileNetV3(SearchSpaceSuite):
    space = SPACE
    samples = 8
    run_macs = 10**9
    malformed = (
        SPACE.example.replace("r224", "r226"),
        SPACE.example.replace("r224:", ""),
        SPACE.example.replace("k7", "k9"),
        SPACE.example.replace("|k3e3,", "|k3e3,k3e3,"),
        SPACE.example.rsplit("|", 1)[0],
        SPACE.example.rsplit(",", 1)[0],
        SPACE.example + "|k3e3,k3e3",
    )


def test_the_space_is_as_large_as_in_the_paper():
    """(9² + 9³ + 9⁴)⁵, about 2 · 10¹⁹ networks at each of 25 resolutions."""
    assert SPACE.size == 7371**5 * 25
    assert pytest.approx(2.18e19, rel=0.01) == 7371**5


def test_parameter_counts_are_those_of_the_reference_code():
    model = onnx.load_from_string(SPACE.to_onnx(SPACE.from_settings(**SETTINGS)))
    weights = [tensor for tensor in model.graph.initializer if tensor.doc_string]
    assert sum(int(np.prod(tensor.dims)) for tensor in weights) == 4476960


def test_settings_of_unused_blocks_do_not_matter():
    others = SETTINGS | {"kernels": [*SETTINGS["kernels"][:2], 3, 3, *SETTINGS["kernels"][4:]]}
    assert SPACE.from_settings(**others) == SPACE.from_settings(**SETTINGS)


def test_encoding_holds_the_145_numbers_of_help():
    encoding = SPACE.encode(SPACE.from_settings(**SETTINGS))
    assert sum(encoding[name].size for name in ("kernel", "expansion", "resolution")) == 145
    assert encoding["kernel"].reshape(5, 4, 3).sum((1, 2)).tolist() == SETTINGS["depths"]
    assert np.flatnonzero(encoding["resolution"]).tolist() == [(204 - 128) // 4]


@pytest.mark.parametrize("resolution", [128, 224])
def test_the_image_is_as_large_as_the_text_says(resolution):
    graph = load_graph(SPACE.to_onnx(SPACE.from_settings(**SETTINGS | {"resolution": resolution})))
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, resolution, resolution)


def test_an_error_names_the_place():
    with pytest.raises(InvalidArchitectureError, match="at character 10, found 'k5e5' instead of a block"):
        SPACE.parse(SPACE.example.replace("k5e3", "k5e5"))


def test_dictionaries_of_settings_are_texts_too() -> None:
    names = {"kernels": "ks", "expansions": "e", "depths": "d", "resolution": "r"}
    settings = {names[name]: value for name, value in SETTINGS.items()}
    right = SPACE.from_settings(**SETTINGS)
    assert SPACE.parse(json.dumps(settings)) == SPACE.parse(str({"wid": None, **settings, "r": [204]})) == right


@pytest.mark.parametrize("text", ["{", "{}", '{"ks": [3]}', '{"ks": 3, "e": 3, "d": 2, "r": 224}', "{" * 5000])
def test_dictionaries_that_lack_something_name_it(text: str) -> None:
    with pytest.raises(InvalidArchitectureError, match="the dictionary needs 'ks', a list of 20 numbers"):
        SPACE.parse(text)


def test_depths_of_a_dictionary_are_checked() -> None:
    with pytest.raises(InvalidArchitectureError, match="depths 'd' have to be among 2, 3, 4"):
        SPACE.parse(json.dumps({"ks": [3] * 20, "e": [3] * 20, "d": [9] * 5, "r": 224}))
