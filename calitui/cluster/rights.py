"""What the current user may do, asked of the API server: for `calitui doctor`.

`SelfSubjectAccessReview` and `SelfSubjectReview` are questions in the form of creations: nothing is stored. The server
lets every logged-in user ask them (ClusterRole `system:basic-user`).
"""

from __future__ import annotations

from functools import partial

import msgspec

from calitui.cluster.api import Api
from calitui.cluster.calico import KINDS, PARALLEL, plural_in
from calitui.cluster.parallel import all_of
from calitui.cluster.refusal import ApiError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean

CRD_GROUP = "crd.projectcalico.org"
ONLY = {"services": {"namespace": "default", "name": "kubernetes"}}
"""Resources of which a single object is read."""


def wanted(calico_group: str = CRD_GROUP) -> tuple[tuple[str, str, str], ...]:
    """Verb, API group and resource of everything that is read, cluster-wide, if Calico's objects are in that group."""
    followed = [(verb, "", resource) for resource in ("pods", "nodes") for verb in ("list", "watch")]
    objects = [("list", calico_group, plural_in(calico_group, plural)) for plural in KINDS]
    others = [("list", "networking.k8s.io", resource) for resource in ("networkpolicies", "servicecidrs")]
    return (*followed, *objects, *others, ("get", "", "services"))


class Right(msgspec.Struct, frozen=True):
    """Whether `verb` on `resource` of API group `group` is allowed; None if the server did not say (`reason`)."""

    verb: str
    group: str
    resource: str
    allowed: bool | None
    reason: str = ""


class Identity(msgspec.Struct, frozen=True):
    """Who the server takes us for. `user` is "" where it can't tell (Kubernetes before v1.28)."""

    user: str = ""
    groups: tuple[str, ...] = ()


class _Decision(msgspec.Struct):
    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct):
    status: _Decision = msgspec.field(default_factory=_Decision)


class _UserInfo(msgspec.Struct):
    username: str = ""
    groups: list[str] | None = None


class _SelfStatus(msgspec.Struct, rename="camel"):
    user_info: _UserInfo = msgspec.field(default_factory=_UserInfo)


class _SelfReview(msgspec.Struct):
    status: _SelfStatus = msgspec.field(default_factory=_SelfStatus)


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def rights(api: Api, calico_group: str = CRD_GROUP) -> tuple[Right, ...]:
    """Ask for every entry of `wanted`, in that order."""
    return tuple(all_of([partial(_right, api, *each) for each in wanted(calico_group)], PARALLEL))


def _right(api: Api, verb: str, group: str, resource: str) -> Right:
    attributes = {"verb": verb, "group": group, "resource": resource} | ONLY.get(resource, {})
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
        decision = decoder(_Review).decode(answer).status
    except ApiError as error:
        return Right(verb, group, resource, None, error.what)
    except _UNREADABLE:
        return Right(verb, group, resource, None, "the answer is unreadable")
    return Right(verb, group, resource, decision.allowed, clean(decision.reason))


def whoami(api: Api) -> Identity:
    """Who we are to the server.

    Raises:
        ClusterError: the server can't be reached, or the credentials are not accepted.
    """
    question = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", question)
        info = decoder(_SelfReview).decode(answer).status.user_info
    except ApiError as error:
        if error.status in (0, 401):
            raise
        return Identity()
    except _UNREADABLE:
        return Identity()
    return Identity(clean(info.username), tuple(clean(group) for group in info.groups or ()))
