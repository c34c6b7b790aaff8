"""Gateway API's own CRDs (standard channel), put into the management cluster and taken out of it again."""

from __future__ import annotations

import yaml

from lab import capi_repository
from provider.manifest import Manifest
from tests.e2e.conftest import kubectl

BUNDLE = ("gatewayclasses", "gateways", "tlsroutes")


def crds() -> list[Manifest]:
    folder = capi_repository.module("gateway-api") / "config" / "crd" / "standard"
    files = [folder / f"gateway.networking.k8s.io_{each}.yaml" for each in BUNDLE]
    return [yaml.safe_load(file.read_text()) for file in files]


def remove() -> None:
    kubectl("delete", "crd", "--ignore-not-found", "--wait=true", *(each["metadata"]["name"] for each in crds()))


def install() -> None:
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(crds()))
    kubectl(
        "wait", "--for=condition=Established", "--timeout=180s", "crd", *(each["metadata"]["name"] for each in crds())
    )
