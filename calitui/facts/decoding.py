"""JSON into structs from any thread.

msgspec works out how to decode a type when it meets it first, and a second thread that meets it meanwhile would use
what is half done: the interpreter crashes. So each type's decoder is made under a lock, once.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_MAKING = threading.Lock()


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a type; its `decode` raises what `msgspec.json.decode` does, and may be called in any thread."""
    hashable: Any = kind
    with _MAKING:
        return _made(hashable)


@functools.cache
def _made(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
