"""Lists in pages: a small first page, so that something is on screen at once, then large ones.

Measured: pages of 500 throughout cost half as much again as pages of 2,000, and the first of 500 takes a tenth of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

import msgspec

from calitui.cluster import lenient
from calitui.cluster.parallel import spawn
from calitui.cluster.refusal import ApiError
from calitui.facts.text import clean

FIRST_PAGE = 500
PAGE = 2_000
GONE = 410
"""HTTP status: the version asked for is forgotten (etcd was compacted)."""

T = TypeVar("T", bound=msgspec.Struct)
Get = Callable[[str, Mapping[str, str | int]], bytes | bytearray]


class Chunk(msgspec.Struct, Generic[T]):
    """One page. `first` starts the list anew: what came before is void. `last` completes it, and `version` is where a
    watch continues.
    """

    items: list[T]
    first: bool
    last: bool
    version: str


def pages(get: Get, path: str, kind: type[T], *, ahead: bool = False) -> Iterator[Chunk[T]]:
    """List the objects of `path` as `kind`; the next page is asked for when the next chunk is.

    With `ahead` it is asked for while this page is being decoded. A continue token that the server has forgotten (410)
    starts the list anew without pages, as client-go does.

    Raises:
        ApiError: from `get`, or the answer is no list.
    """
    query: dict[str, str | int] = {"limit": FIRST_PAGE}
    first = True
    asked: Future[bytes | bytearray] | None = None
    while True:
        try:
            data = asked.result() if asked is not None else get(path, query)
        except ApiError as error:
            if error.status != GONE or first:
                raise
            query, first, asked = {}, True, None
            continue
        try:
            token = lenient.metadata(data).continue_
            query = {"limit": PAGE, "continue": token}
            asked = spawn(partial(get, path, query)) if ahead and token else None
            page = lenient.page(data, kind)
        except ValueError as error:
            raise ApiError(
                f"{clean(path)}: the answer is no list of a Kubernetes API ({clean(str(error))[:200]})",
                "Check the server's address in the kubeconfig, and proxies (HTTPS_PROXY, proxy-url)",
            ) from None
        yield Chunk(page.items or [], first, not token, page.metadata.resource_version)
        if not token:
            return
        first = False
