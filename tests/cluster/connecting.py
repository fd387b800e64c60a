"""Kubeconfigs to connect with, and the error of doing so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from calitui.cluster import Api, read
from calitui.errors import CalituiError

Object = dict[str, Any]


def kubeconfig(path: Path, server: str = "http://127.0.0.1:1", user: Object | None = None, **cluster: Any) -> Path:
    content = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server} | cluster}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "there\x1b[31m", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def failure(path: Path | None, context: str | None = None, timeout: float | None = None) -> CalituiError:
    """The error of connecting and reading; always one printable line."""
    with pytest.raises(CalituiError) as caught, Api(str(path) if path else None, context, timeout) as api:
        read(api)
    assert str(caught.value).isprintable()
    return caught.value
