"""Number types that networks of training sets are not in: what is known of float32 says nothing of them."""

__all__ = ["is_rare"]

_RARE = ("bfloat16", "complex", "float4", "float6e", "float8", "float64")


def is_rare(dtype: str) -> bool:
    """Whether few runtimes compute in a tensor's element type, so that operators of it are ones of their own."""
    return dtype.startswith(_RARE)
