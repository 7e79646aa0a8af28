"""Names that runtimes give kernels → the ONNX operator that they are of."""

__all__ = ["operator_family"]

_FAMILIES = {
    "FusedConv": "Conv", "NhwcFusedConv": "Conv", "FusedMatMul": "MatMul", "Gemm": "MatMul", "FusedGemm": "MatMul",
    "TransposeMatMul": "MatMul", "Squeeze": "Reshape", "Unsqueeze": "Reshape", "Flatten": "Reshape",
    "BiasGelu": "Gelu", "Upsample": "Resize", "NhwcMaxPool": "MaxPool", "Convolution": "Conv",
    "GroupConvolution": "Conv", "FullyConnected": "MatMul", "LSTMSequence": "LSTM", "GRUSequence": "GRU",
    "RNNSequence": "RNN", "Interpolate": "Resize",
}  # fmt: skip


def operator_family(operator: str) -> str:
    """One name for what several runtimes, or one of them fused and not, call differently."""
    return _FAMILIES.get(operator, operator)
