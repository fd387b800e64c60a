"""What every test of the screens starts from: a fixed clock and time zone, and fixed words of the catalogue."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from calitui.diagnosis.catalogue import CATALOGUE
from tests.tui import troubled


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in troubled.ENTRIES:
        monkeypatch.setitem(CATALOGUE, entry.code, entry)
