"""What Calico's BIRD says of itself: its routes and its protocols, as `birdcl show route` and `show protocols` do.

A route in BIRD's table is no route of the kernel: it says what BIRD knows, and `*` which of several it would hand on.
"""

from __future__ import annotations

import msgspec


class BirdNextHop(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One of several next hops; `weight` is None where none was printed."""

    gateway: str | None = None
    device: str | None = None
    weight: int | None = None


class BirdRoute(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A route in BIRD's table.

    `kind` is `via`, `dev`, `blackhole`, `unreachable`, `prohibited`, or `multipath` (BIRD 2: `unicast`) with
    `next_hops`. `protocol` is the name of the protocol it is from (`Mesh_10_0_0_12`, `kernel1`, `static1`), `since` the
    time as printed, `learned_from` the BGP peer where it is not the gateway. `mark` is `*` for the selected route, `!`
    for a selected one that the kernel refused, "" else. `metric` is text as it may be `?`; `origin` is BGP's, such as
    `i` or `AS65001?`. `repeated` says that it is one more route of the prefix of the route before.
    """

    prefix: str
    kind: str
    gateway: str | None = None
    device: str | None = None
    protocol: str = ""
    since: str = ""
    learned_from: str | None = None
    mark: str = ""
    preference: int = 0
    metric: str | None = None
    origin: str | None = None
    next_hops: tuple[BirdNextHop, ...] = ()
    repeated: bool = False
    text: str = ""


class BirdProtocol(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of `show protocols`: `kind` is `BGP`, `Kernel` ..., `state` is `up`, `start`, `down`.

    `info` is BGP's own state (`Established`, `Active`, `Connect`, `Passive` ...), `detail` what is wrong
    (`Socket: Connection refused`). The rest is told by `show protocols all` only: a BGP session's `neighbour` address
    and AS, the address it speaks from (`source`), its `last_error`, and how many routes came in and went out.
    """

    name: str
    kind: str
    table: str
    state: str
    since: str = ""
    info: str = ""
    detail: str = ""
    text: str = ""
    neighbour: str | None = None
    neighbour_as: int | None = None
    source: str | None = None
    last_error: str = ""
    imported: int | None = None
    exported: int | None = None


class BirdAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What BIRD printed: `version` of its banner, `status` the other lines of `show status`, `unparsed` lines of no
    known form, verbatim.
    """

    version: str = ""
    router_id: str | None = None
    routes: tuple[BirdRoute, ...] = ()
    protocols: tuple[BirdProtocol, ...] = ()
    status: tuple[str, ...] = ()
    unparsed: tuple[str, ...] = ()


class Bird(msgspec.Struct, frozen=True, omit_defaults=True):
    """One BIRD daemon of a node: `family` is 4 or 6, `socket` its control socket.

    `answer` is what it said to `show status`, `show protocols all` and `show route`, None when it did not answer;
    `error` are then birdcl's words (`Unable to connect to server control socket ... Connection refused`). `complete`
    says that all three were printed to their end and understood: only then is an absence evidence. `command` is what
    was run.
    """

    family: int
    socket: str
    answer: BirdAnswer | None = None
    error: str = ""
    complete: bool = False
    command: str = ""
