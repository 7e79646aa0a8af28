"""HELP: hardware-adaptive latency prediction by meta-learning (Lee et al., NeurIPS 2021)."""
