"""Object skeletons, owner references and reading of metadata. Called by every builder and by `cluster.apply`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from provider.api.kinds import Kind
from provider.manifest import Manifest


def new(
    kind: Kind,
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """A whole object: apiVersion, kind, metadata, then `body` (spec=…, data=…, type=…)."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}


def owned(manifest: Manifest, owner: Manifest) -> Manifest:
    """The same object with `owner` as its controller, so that garbage collection ends it with its owner."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}}


def is_controlled(manifest: Manifest, owner: Manifest) -> bool:
    """Whether `owner` is the object's controller: that very object, and not another of its name."""
    references = manifest["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") and each["uid"] == owner["metadata"]["uid"] for each in references)


def secret_data(values: Mapping[str, bytes | str]) -> dict[str, str]:
    """`data` of a Secret: values in base64, keys in order."""
    return {
        key: base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in sorted(values.items())
    }


def decoded(secret: Manifest | None) -> dict[str, bytes]:
    """`data` of a Secret as bytes; empty for None. What is no base64 is left out: others write Secrets too."""
    found: dict[str, bytes] = {}
    for key, value in ((secret or {}).get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value, validate=True)
        except ValueError:
            continue
    return found


def labels_of(manifest: Manifest) -> dict[str, str]:
    """Labels, never None."""
    return manifest.get("metadata", {}).get("labels") or {}


def annotations_of(manifest: Manifest) -> dict[str, str]:
    """Annotations, never None."""
    return manifest.get("metadata", {}).get("annotations") or {}
