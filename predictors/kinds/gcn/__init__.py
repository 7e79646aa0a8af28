"""A graph network over any ONNX graph."""
