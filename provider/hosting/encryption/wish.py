"""What a user asks for by annotations of the TenantControlPlane, which no schema holds to anything: read and judged. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting.encryption.phases import Wish
from provider.hosting.encryption.resources import REFUSED, SHAPE
from provider.hosting.view import View
from provider.manifest import meta

SOCKET: Final = re.compile(r"unix://(/[A-Za-z0-9._@-]{1,64}){1,16}")
MOST: Final = 16  # resources
FLAG: Final = "encryption-provider-config"


def of(view: View) -> Wish:
    """Invalid names the annotation that cannot be followed."""
    annotations = meta.annotations_of(view.raw)
    resources = _resources(annotations)
    plugin = annotations.get(names.ANNOTATION_ENCRYPTION_PLUGIN, "")
    if plugin:
        _check(view, plugin)
    return Wish(resources=resources, plugin=plugin, request=annotations.get(names.ANNOTATION_ROTATE_ENCRYPTION_KEY, ""))


def _resources(annotations: Mapping[str, str]) -> tuple[str, ...]:
    said = annotations.get(names.ANNOTATION_ENCRYPT, "")
    found = sorted({each.strip() for each in said.split(",")} - {""})
    for each in found:
        if not SHAPE.fullmatch(each) or len(each) > 253 or each.partition(".")[0] in REFUSED or len(found) > MOST:
            raise Invalid(
                "AnnotationInvalid",
                f"annotation {names.ANNOTATION_ENCRYPT} {said[:253]!r} is no list of resources that can be encrypted: write at"
                f" most {MOST} plurals, with the group of those that have one, such as secrets,configmaps,widgets.example.com;"
                " or remove it to have nothing encrypted",
            )
    return tuple(found)


def _check(view: View, plugin: str) -> None:
    """A plugin's socket is one of a mount that the user has given kube-apiserver."""
    path = plugin.removeprefix("unix://")
    if not SOCKET.fullmatch(plugin) or ".." in path.split("/"):
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_ENCRYPTION_PLUGIN} {plugin[:253]!r} is no socket of a KMS plugin: write one such as"
            " unix:///run/kms/plugin.sock, or remove it to encrypt with a key of the provider's",
        )
    mounts = view.tcp.deployment.additional_volume_mounts.api_server
    if not any(path.startswith(f"{each['mountPath'].rstrip('/')}/") for each in mounts):
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_ENCRYPTION_PLUGIN}: kube-apiserver has nothing mounted at {path}: add the plugin's"
            " folder to additionalVolumes and additionalVolumeMounts.apiServer of spec.controlPlane.deployment",
        )
