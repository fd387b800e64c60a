"""The lookup answers like the kernel, for every one of well over 100,000 lookups in generated rules and routes."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from tests.oracle.compare import run
from tests.oracle.generate import Shape
from tests.oracle.kernel import why_impossible

PROMISED = 100_000


class Batch(msgspec.Struct, frozen=True):
    """Scenarios of one shape, one a seed, and the lookups in each."""

    shape: Shape
    seeds: int
    lookups: int


BATCHES = {
    "few": Batch(Shape(routes=10, rules=4), 25, 1000),
    "usual": Batch(Shape(routes=60, rules=None), 15, 1500),
    "rules": Batch(Shape(routes=60, rules=25), 20, 1500),
    "nested": Batch(Shape(routes=150, rules=3), 10, 1500),
    "many": Batch(Shape(routes=1000, rules=20), 4, 5000),
    "large": Batch(Shape(routes=24_000, rules=10), 1, 15_000),
    "large-usual": Batch(Shape(routes=24_000, rules=None), 1, 10_000),
}
OUTCOMES = {"unicast", "local", "blackhole", "unreachable", "prohibit", "no route"}


def test_batches_hold_what_is_promised() -> None:
    assert 2 * sum(batch.seeds * batch.lookups for batch in BATCHES.values()) >= PROMISED


@pytest.mark.lab
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", BATCHES)
def test_kernel_agrees(name: str, family: int) -> None:
    reason = why_impossible()
    if reason:
        pytest.skip(reason)
    batch = BATCHES[name]
    agreed: Counter[str] = Counter()
    for seed in range(batch.seeds):
        outcome = run(seed, family, batch.shape, batch.lookups)
        print(f"IPv{family} {name} seed {seed}: {outcome.routes} routes, {outcome.rules} rules, {dict(outcome.agreed)}")
        again = (
            f"python -m tests.oracle --family {family} --routes {batch.shape.routes} --lookups {batch.lookups} "
            f"--rules {'none' if batch.shape.rules is None else batch.shape.rules} --seed {seed}"
        )
        shown = "\n".join(outcome.differences[:5])
        assert not outcome.differences, f"{len(outcome.differences)} differences; {again}\n{shown}"
        assert outcome.lookups == batch.lookups
        if name.startswith("large"):
            assert outcome.routes >= 10_000
        agreed += outcome.agreed
    # A generator that no longer makes anything to disagree about proves nothing. Many routes leave nothing without one.
    assert set(agreed) | ({"no route"} if batch.shape.routes >= 1000 else set()) >= OUTCOMES
    assert agreed["unicast"] >= agreed.total() / 5
