"""JSON of an API server into structs, at full speed, and without losing a list over one odd object.

A page is decoded in one go. Only if that fails each object is decoded alone, and only an object that fails again is
taken apart: it keeps the fields that are what they should be and loses the others.
"""

from __future__ import annotations

import types
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from calitui.facts.decoding import decoder

T = TypeVar("T", bound=msgspec.Struct)

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises on text that is not JSON. `msgspec.ValidationError` is JSON of another shape."""


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """Of a list: the version it shows (where a watch can start) and the token of the next page."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, Generic[T]):
    """A list, or a page of one."""

    metadata: ListMeta = ListMeta()
    items: list[T] | None = None


class _RawPage(msgspec.Struct):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = None


class _Head(msgspec.Struct):
    metadata: ListMeta = ListMeta()


def metadata(data: bytes | bytearray) -> ListMeta:
    """Only the list's own metadata, at a tenth of the cost of `page`.

    Raises:
        ValueError: it is not JSON, or not a list of objects.
    """
    try:
        return decoder(_Head).decode(data).metadata
    except MALFORMED as error:
        raise ValueError(f"not JSON, or not a list: {error}") from None


def page(data: bytes | bytearray, kind: type[T]) -> Page[T]:
    """The list in `data`, its items as `kind`.

    Raises:
        ValueError: it is not JSON, or not a list of objects.
    """
    generic: Any = Page
    try:
        found: Page[T] = decoder(generic[kind]).decode(data)
        return found
    except msgspec.ValidationError:
        pass
    except MALFORMED as error:
        raise ValueError(f"not JSON: {error}") from None
    try:
        raw = decoder(_RawPage).decode(data)
    except MALFORMED as error:
        raise ValueError(f"not a list of objects: {error}") from None
    return Page(raw.metadata, [one(item, kind) for item in raw.items or ()])


def one(data: bytes | bytearray | msgspec.Raw, kind: type[T]) -> T:
    """The object in `data` as `kind`, without the fields that are of another type than they should be.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return decoder(kind).decode(data)
    except msgspec.ValidationError:
        pass
    except MALFORMED as error:
        raise ValueError(f"not JSON: {error}") from None
    try:
        return _forgive(msgspec.json.decode(data), kind)
    except MALFORMED as error:
        raise ValueError(f"not JSON: {error}") from None


_ABSENT = object()


def _forgive(value: object, kind: type[T]) -> T:
    values = {}
    if isinstance(value, dict):
        for field in msgspec.structs.fields(kind):
            part = _part(value[field.encode_name], field.type) if field.encode_name in value else _ABSENT
            if part is not _ABSENT:
                values[field.name] = part
    return kind(**values)


def _part(value: object, kind: Any) -> object:
    """`value` as the annotated type `kind`, or what of it is usable, or `_ABSENT`."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        pass
    for choice in get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,):
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct) and isinstance(value, dict):
            return _forgive(value, choice)
        if get_origin(choice) is list and isinstance(value, list):
            (inner,) = get_args(choice)
            parts = (_part(item, inner) for item in value)
            return [part for part in parts if part is not _ABSENT]
        if get_origin(choice) is dict and isinstance(value, dict):
            _, inner = get_args(choice)
            found = {str(key): _part(item, inner) for key, item in value.items()}
            return {key: part for key, part in found.items() if part is not _ABSENT}
    return _ABSENT
