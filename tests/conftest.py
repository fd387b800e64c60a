"""What every test run obeys: labs are built only on request, whoever runs the tests.

A lab makes network namespaces, boots a kernel and takes minutes, so that a plain `pytest` skips it even for root.
"""

from __future__ import annotations

import os

import pytest

LAB_VARIABLE = "CALITUI_LAB"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need a lab unless `CALITUI_LAB=1` asks for them."""
    if os.environ.get(LAB_VARIABLE) == "1":
        return
    skip = pytest.mark.skip(reason=f"builds network namespaces as root: set {LAB_VARIABLE}=1 to run it")
    for item in items:
        if any(item.get_closest_marker(name) for name in ("lab", "uml")):
            item.add_marker(skip)
