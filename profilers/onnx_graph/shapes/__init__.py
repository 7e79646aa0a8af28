"""Types and shapes of the outputs of operators."""
