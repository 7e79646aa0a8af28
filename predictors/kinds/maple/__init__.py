"""MAPLE: latency from an architecture and a descriptor of the hardware (Abbasi et al., 2021)."""
