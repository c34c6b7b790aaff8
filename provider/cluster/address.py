"""Where objects are at an API server, and which: paths and queries, of names that may be anybody's. Called by `client`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from provider.api.kinds import Kind
from provider.manifest import Manifest


def path(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    """URL path of a collection or an object. Names come from users: they are escaped, so they stay one segment."""
    where = root(kind.api_version)
    if namespace and kind.namespaced:
        where += f"/namespaces/{segment(namespace)}"
    where += f"/{kind.plural}"
    return where if name is None else f"{where}/{segment(name)}"


def typed(item: Manifest, kind: Kind) -> Manifest:
    """An item of a list, which lacks what the list says once; a metadata-only item, which says another kind."""
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}


def selecting(labels: Mapping[str, str] | None, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """Query for these labels and fields; a label's value of `*` asks only that it is there."""
    labelled = [key if value == "*" else f"{key}={value}" for key, value in sorted((labels or {}).items())]
    named = [f"{key}={value}" for key, value in sorted((fields or {}).items())]
    query = {"labelSelector": ",".join(labelled), "fieldSelector": ",".join(named)}
    return {key: value for key, value in query.items() if value}


def root(api_version: str) -> str:
    """URL path of a version of a group."""
    group, _, version = api_version.rpartition("/")
    return f"/apis/{segment(group)}/{segment(version)}" if group else f"/api/{segment(version)}"


def segment(name: str) -> str:
    """One segment of a path. ValueError for what cannot be one: it would name another object."""
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} cannot be part of an object's path")
    return quote(name, safe="")
