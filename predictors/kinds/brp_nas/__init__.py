"""BRP-NAS's graph networks (Dudziak et al., NeurIPS 2020)."""
