"""Long lists in attributes, as tree ensembles keep their trees there, without a Python object for each entry."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

__all__ = ["LONG_LIST", "LongList", "floats", "integers", "texts"]

LONG_LIST = 4096
"""Lists of more entries are kept in a compact form, and left out of graph records."""

_CHUNK = 4096


class LongList(Sequence[Any]):
    """A list of numbers or texts that reads as a tuple does, and takes the memory of its values alone.

    Args:
        values: numbers, or places in `texts`.
        texts: the different entries of a list of texts; None for numbers.
    """

    __slots__ = ("_texts", "_values")

    def __init__(self, values: "array[Any]", texts: tuple[str, ...] | None = None) -> None:
        self._values, self._texts = values, texts

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, at: int | slice) -> Any:
        texts = self._texts
        if isinstance(at, slice):
            values = self._values[at]
            return tuple(values if texts is None else [texts[place] for place in values])
        return self._values[at] if texts is None else texts[self._values[at]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The values as a NumPy array, numbers without a Python object for each."""
        import numpy as np

        return np.array(self._values if self._texts is None else self[:], dtype=dtype, copy=copy)

    def equals(self, text: str) -> Any:
        """Whether each entry of a list of texts is this one, bool (entries,)."""
        import numpy as np

        places = [place for place, entry in enumerate(self._texts or ()) if entry == text]
        return np.isin(np.frombuffer(self._values, dtype=self._values.typecode), places)

    def literals(self) -> Iterator[str]:
        """The Python literal of the tuple with these values, in pieces."""
        yield "("
        for start in range(0, len(self), _CHUNK):
            yield (", " if start else "") + ascii(list(self[start : start + _CHUNK]))[1:-1]
        yield ")"


def integers(values: Sequence[int]) -> tuple[int, ...] | LongList:
    """A tuple, or a long list with as few bytes for each number as all of them need."""
    if len(values) <= LONG_LIST:
        return tuple(values[:])
    whole = array("q", values)
    low, high = min(whole), max(whole)
    codes = (code for code, bits in (("H", 16), ("I", 32)) if low >= 0 and high < 1 << bits)
    return LongList(array(next(codes, "q"), whole))


def floats(values: Sequence[float]) -> tuple[float, ...] | LongList:
    """A tuple, or a long list of single precision, in which files store them."""
    return LongList(array("f", values)) if len(values) > LONG_LIST else tuple(values[:])


def texts(values: Sequence[bytes], decoded: Callable[[bytes], str]) -> tuple[str, ...] | LongList:
    """A tuple, or a long list, of which equal texts are decoded once."""
    if len(values) <= LONG_LIST:
        return tuple(map(decoded, values))
    once: defaultdict[bytes, int] = defaultdict(lambda: len(once))
    places = array("I", map(once.__getitem__, values))
    return LongList(array("H", places) if len(once) < 1 << 16 else places, tuple(map(decoded, once)))
