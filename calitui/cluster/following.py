"""Follow one kind of object: list it, watch it, and come back after every failure, in a thread of its own.

What happens is put into a queue as small events; nothing here knows what becomes of them, nor what kind it is.

How the API works: a watch continues from the version of the list; `BOOKMARK` events move that version on while nothing
happens; a version that the server has forgotten is refused with 410, as HTTP status or as an `ERROR` event, and then
only a new list helps (Kubernetes API concepts, "Efficient detection of changes").
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from calitui.cluster import lenient
from calitui.cluster.api import Api, Response
from calitui.cluster.listing import GONE, pages
from calitui.cluster.refusal import ApiError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean

WATCH_SECONDS = 60
"""The server ends a watch after this time, and it is opened anew: how a dead connection is noticed without traffic."""
SILENCE_SECONDS = WATCH_SECONDS + 15.0
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between tries: doubled after each failure, less up to half at random so that clients don't come in step."""

T = TypeVar("T", bound=msgspec.Struct)


class Listed(msgspec.Struct, Generic[T]):
    """A page of the list, `calitui.cluster.listing.Chunk` without its version."""

    source: str
    items: list[T]
    first: bool
    last: bool


class Changed(msgspec.Struct, Generic[T]):
    """An object was added, modified or (`gone`) deleted."""

    source: str
    item: T
    gone: bool


class Alive(msgspec.Struct):
    """The watch is open: the list is followed from here on."""

    source: str


class Cut(msgspec.Struct):
    """The list isn't followed any more; it was last known to be true at `since` (seconds since the epoch)."""

    source: str
    since: float
    error: ApiError


Event = Listed[T] | Changed[T] | Alive | Cut


class _Event(msgspec.Struct):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Versioned(msgspec.Struct):
    metadata: _Version = msgspec.field(default_factory=_Version)


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""


class Follower(threading.Thread, Generic[T]):
    """Follows `path`. After the first page it waits for `go_on` before it asks for the second."""

    def __init__(
        self,
        api: Api,
        source: str,
        path: str,
        kind: type[T],
        events: queue.SimpleQueue[Event[T]],
        *,
        elsewhere: Callable[[ApiError], str] | None = None,
    ) -> None:
        """`source` names this follower in its events; `elsewhere` gives another path when the first list fails, or
        raises.
        """
        super().__init__(name=f"follow-{source}", daemon=True)
        self.go_on = threading.Event()
        self._api = api
        self._source = source
        self._path = path
        self._kind = kind
        self._events = events
        self._elsewhere = elsewhere
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._response: Response | None = None
        self._heard = time.time()
        self._listed_once = False
        self._version = ""

    def halt(self) -> None:
        """End soon: a blocked read is cut off."""
        self._halt.set()
        self.go_on.set()
        with self._lock:
            if self._response is not None:
                self._response.shutdown()

    def run(self) -> None:
        """List and watch until halted."""
        failures = 0
        while not self._halt.is_set():
            began = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._watch()
                # A server or proxy that ends watches at once must not be asked without pause.
                failures = failures + 1 if time.monotonic() - began < 1 else 0
            except ApiError as error:
                if self._halt.is_set():
                    return
                if error.status == GONE:
                    self._version = ""
                self._events.put(Cut(self._source, self._heard, error))
                failures = failures + 1 if time.monotonic() - began < LONGEST_DELAY else 1
            if failures:
                self._halt.wait(delay(failures))

    def _open(self, path: str, query: Mapping[str, str | int], silence: float | None = None) -> Response:
        response = self._api.open(path, query, silence=silence)
        with self._lock:
            self._response = response
            if self._halt.is_set():
                response.shutdown()
        return response

    def _close(self, response: Response) -> None:
        with self._lock:
            self._response = None
            response.close()

    def _get(self, path: str, query: Mapping[str, str | int]) -> bytearray:
        response = self._open(path, query)
        try:
            return response.body()
        finally:
            self._close(response)

    def _list(self) -> None:
        """List everything."""
        try:
            self._list_path()
        except ApiError as error:
            if self._listed_once or self._elsewhere is None:
                raise
            self._path = self._elsewhere(error)
            self._elsewhere = None
            self._list_path()

    def _list_path(self) -> None:
        for chunk in pages(self._get, self._path, self._kind):
            self._heard = time.time()
            self._events.put(Listed(self._source, chunk.items, chunk.first, chunk.last))
            self._listed_once = True
            if chunk.last:
                self._version = chunk.version
            else:
                self.go_on.wait()
            if self._halt.is_set():
                return

    def _watch(self) -> None:
        """Follow until the server ends the watch.

        Raises:
            ApiError: the watch was refused or broke; `status` 410 if only a new list helps.
        """
        query: dict[str, str | int] = {
            "watch": 1,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": WATCH_SECONDS,
        }
        response = self._open(self._path, query, SILENCE_SECONDS)
        try:
            self._heard = time.time()
            self._events.put(Alive(self._source))
            for line in response.lines():
                self._heard = time.time()
                self._take(line)
        finally:
            self._close(response)

    def _take(self, line: bytes) -> None:
        """Put what one line of a watch says into the queue, and go on from its version after the next cut."""
        try:
            event = decoder(_Event).decode(line)
            if event.type == "ERROR":
                status = lenient.one(event.object, _Status)
                raise ApiError(f"The watch ended: {clean(status.message)[:200]}", status=status.code)
            version = lenient.one(event.object, _Versioned).metadata.resource_version
            if event.type in ("ADDED", "MODIFIED", "DELETED"):
                item = lenient.one(event.object, self._kind)
                self._events.put(Changed(self._source, item, event.type == "DELETED"))
        except (ValueError, *lenient.MALFORMED) as error:
            # The same would come again from the same version, so a new list is what helps.
            raise ApiError(f"The watch sent something unreadable: {clean(str(error))[:200]}", status=GONE) from None
        self._version = version or self._version


def delay(failures: int) -> float:
    """Seconds to wait after so many failures in a row (1 or more)."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 10))
    return longest * random.SystemRandom().uniform(0.5, 1)
