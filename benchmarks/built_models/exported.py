"""Networks of public libraries with random weights, out of PyTorch's default exporter: small encoders and the like."""

import logging
import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import onnx

from benchmarks.built_models.network import Builder, Built

__all__ = ["NETWORKS", "exported"]


def exported(network: Any, inputs: tuple[Any, ...], *, scripted: bool = False) -> onnx.ModelProto:
    """The network out of PyTorch's default exporter, or out of the older one that traces scripts; shapes fixed."""
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    stored = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if scripted:
            torch.onnx.export(network.eval(), inputs, stored, dynamo=False)
            return onnx.load_model_from_string(stored.getvalue())
        program = torch.onnx.export(network.eval(), inputs, dynamo=True, optimize=True, verbose=False)
    assert program is not None  # noqa: S101 - with a file name it would be
    program.save(stored)
    return onnx.load_model_from_string(stored.getvalue())


def _first(network: Any) -> Any:
    """The network, giving its first result as a tensor."""
    import torch

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, *inputs: Any) -> Any:
            return self.inner(*inputs, return_dict=False)[0]

    return First()


def _transformers(model: str, config: str, inputs: Mapping[str, tuple[int, ...]], **sizes: Any) -> Built:
    """A model of transformers; inputs are (shape…), token ids where the name says ids."""
    import torch
    import transformers

    torch.manual_seed(0)
    settings = getattr(transformers, config)(attn_implementation="eager", **sizes)
    network = getattr(transformers, model)(settings)
    feeds = [
        torch.zeros(shape, dtype=torch.int64) if name.endswith("ids") else torch.randn(shape)
        for name, shape in inputs.items()
    ]
    return Built(model=exported(_first(network), tuple(feeds)))


def _bert(tokens: int, width: int, layers: int, heads: int) -> Built:
    return _transformers(
        "BertModel", "BertConfig", {"ids": (1, tokens)}, vocab_size=4000, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=4 * width, max_position_embeddings=128,
    )  # fmt: skip


def _reader(steps: int) -> Built:
    """A reader of captchas: convolutions, then a GRU cell that is unrolled over the columns."""
    import torch
    from torch import nn

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for before, after in ((1, 32), (32, 64), (64, 96)):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
            self.features, self.cell, self.head = nn.Sequential(*layers), nn.GRUCell(96 * 4, 256), nn.Linear(256, 37)

        def forward(self, image: Any) -> Any:
            columns = self.features(image).flatten(1, 2)
            state, letters = torch.zeros(1, 256), []
            for i in range(steps):
                state = self.cell(columns[:, :, i], state)
                letters.append(self.head(state))
            return torch.stack(letters, 1)

    torch.manual_seed(0)
    return Built(model=exported(Reader(), (torch.randn(1, 1, 32, 8 * steps),)))


def _convolutional(channels: int, blocks: int, side: int) -> Any:
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(x + self.inner(x))

    stem = nn.Sequential(nn.Conv2d(3, channels, 3, stride=2, padding=1), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 100))
    return nn.Sequential(stem, *(Block() for _ in range(blocks)), head)


def residual(*, scripted: bool = False) -> onnx.ModelProto:
    """A small residual network for images of 64 × 64. The older exporter puts equal biases behind Identity."""
    import torch

    torch.manual_seed(0)
    return exported(_convolutional(48, 4, 64), (torch.randn(1, 3, 64, 64),), scripted=scripted)


def encoder(tokens: int = 64) -> onnx.ModelProto:
    """Two layers of PyTorch's own transformer encoder."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(192, 4, 768, batch_first=True, activation="gelu")
    return exported(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), (torch.randn(1, tokens, 192),))


NETWORKS: Mapping[str, Builder] = {
    "captcha-reader": lambda: _reader(20),
    "residual": lambda: Built(model=residual()),
    "encoder-64": lambda: Built(model=encoder()),
    "bert-32": lambda: _bert(32, 128, 2, 2),
    "bert-64": lambda: _bert(64, 256, 4, 4),
    "bert-128": lambda: _bert(128, 312, 4, 12),
    "albert-64": lambda: _transformers(
        "AlbertModel", "AlbertConfig", {"ids": (1, 64)}, vocab_size=4000, embedding_size=64, hidden_size=256,
        num_hidden_layers=8, num_attention_heads=4, intermediate_size=1024, max_position_embeddings=128,
    ),
    "gpt2-tied-32": lambda: _transformers(
        "GPT2LMHeadModel", "GPT2Config", {"ids": (1, 32)}, vocab_size=8000, n_embd=192, n_layer=3, n_head=4,
        n_positions=64, use_cache=False,
    ),
    "segformer": lambda: _transformers(
        "SegformerForSemanticSegmentation", "SegformerConfig", {"image": (1, 3, 128, 128)}, depths=[1, 1, 1, 1],
    ),
    "wav2vec2": lambda: _transformers(
        "Wav2Vec2Model", "Wav2Vec2Config", {"sound": (1, 8000)}, hidden_size=128, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=256, conv_dim=[64] * 7, num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4, apply_spec_augment=False,
    ),
    "yolos": lambda: _transformers(
        "YolosForObjectDetection", "YolosConfig", {"image": (1, 3, 128, 128)}, hidden_size=128, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=512, image_size=[128, 128], num_detection_tokens=20,
    ),
    "convnextv2": lambda: _transformers(
        "ConvNextV2ForImageClassification", "ConvNextV2Config", {"image": (1, 3, 96, 96)}, depths=[1, 1, 3, 1],
        hidden_sizes=[32, 64, 128, 256],
    ),
}  # fmt: skip
