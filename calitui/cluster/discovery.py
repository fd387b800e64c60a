"""What an API group has, asked of the server: everybody who is logged in may, whatever else is forbidden."""

from __future__ import annotations

import msgspec

from calitui.cluster.api import Api
from calitui.cluster.refusal import ApiError
from calitui.facts.decoding import decoder


class Failure(msgspec.Struct, frozen=True):
    """Why something was not read; `status` is HTTP's, 0 when no answer came at all."""

    reason: str
    status: int


class _Resource(msgspec.Struct):
    name: str = ""


class _Resources(msgspec.Struct):
    resources: list[_Resource] | None = None


def resources(api: Api, group: str) -> frozenset[str] | Failure:
    """The plurals that `group` (`NAME/VERSION`) has; none if there is no such group; a failure if nobody can tell."""
    try:
        answer = decoder(_Resources).decode(api.get(f"/apis/{group}"))
    except ApiError as error:
        return frozenset() if error.status == 404 else Failure(error.what, error.status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Failure(f"the API server's answer about {group} is unreadable", 200)
    return frozenset(resource.name for resource in answer.resources or ())
