"""The API server under test."""

from tests.apiserver.plugin import apiserver

__all__ = ["apiserver"]
