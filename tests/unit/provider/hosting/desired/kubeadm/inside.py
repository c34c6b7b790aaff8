"""What is said inside a tenant, for the tests of kubeadm's artefacts and the addons."""

from __future__ import annotations

from typing import Any

import yaml

from provider.api import kinds
from provider.api.kinds import Kind
from provider.hosting.view import Seen
from provider.manifest import Manifest
from tests.golden.world import Walked, tenant, view, walk


def walked(inside: Seen | None = None, /, *seen: Manifest, **spec: Any) -> Walked:
    """A walk over a tenant whose API server answers and has these objects."""
    raw = tenant(**spec)
    return walk(view(raw, *seen), inside=inside)


def said(found: Walked, part: str, kind: Kind, name: str) -> Manifest:
    (only,) = (each for each in found.said[part] if (each["kind"], each["metadata"]["name"]) == (kind.kind, name))
    return only


def document(found: Walked, part: str, config_map: str, key: str) -> Any:
    """A YAML document within a ConfigMap."""
    return yaml.safe_load(said(found, part, kinds.CONFIG_MAP, config_map)["data"][key])
