"""The labs that calitui is pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.plugin import bgp_lab, ipip_lab, lab_of

__all__ = ["bgp_lab", "ipip_lab"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of one lab in a row, module by module: it takes ten seconds to build one."""
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if here in item.path.parents and _cluster(item)]
    labs = list(dict.fromkeys(_cluster(items[place]) for place in places))
    chosen = [items[place] for place in places]
    in_order = sorted(chosen, key=lambda item: (labs.index(_cluster(item)), item.path.name))
    for place, item in zip(places, in_order, strict=True):
        items[place] = item


def _cluster(item: pytest.Item) -> str:
    """The cluster of the lab that a test is run on, "" for one that names none."""
    call = getattr(item, "callspec", None)
    name = call.params.get("lab") if call is not None else None
    return name if isinstance(name, str) else ""


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The cluster named by the parameter."""
    # The article's clusters serve other tests of the session too.
    shared = {"bgp", "ipip"} & {request.param}
    for found in [request.getfixturevalue(f"{name}_lab") for name in shared] or lab_of(request.param):
        if found.without_api:
            pytest.skip(found.without_api)
        yield found
