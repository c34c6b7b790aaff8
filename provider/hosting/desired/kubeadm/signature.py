"""Which signatures cluster-info lacks for the bootstrap tokens that are there. Called by `reconcile.signing`.

A tenant's people write these Secrets as they like; what is not a token by the rules of Kubernetes (KEP-130) is passed over, as
its own signer does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from provider.hosting.desired.kubeadm import clusterinfo
from provider.manifest import Manifest, jws, meta

TOKEN_TYPE = "bootstrap.kubernetes.io/token"
TOKENS_NAMESPACE = "kube-system"
PREFIX = "jws-kubeconfig-"
_ID, _SECRET = re.compile(r"[a-z0-9]{6}"), re.compile(r"[a-z0-9]{16}")


def lacking(cluster_info: Manifest, tokens: Iterable[Manifest], now: datetime) -> dict[str, str]:
    """ConfigMap keys with the signatures that are not there or are of other content; empty when all are right."""
    data: dict[str, str] = cluster_info.get("data") or {}
    content = data.get(clusterinfo.KEY)
    if content is None:
        return {}
    pairs = (pair for each in tokens if (pair := _token(each, now)))
    wanted = {PREFIX + name: jws.detached(content.encode(), name, secret) for name, secret in pairs}
    return {key: value for key, value in wanted.items() if data.get(key) != value}


def _token(secret: Manifest, now: datetime) -> tuple[str, str] | None:
    """Id and secret of a token that cluster-info is to be signed for, None of anything else."""
    said = {key: value.decode(errors="replace") for key, value in meta.decoded(secret).items()}
    name, key = said.get("token-id", ""), said.get("token-secret", "")
    usable = (
        secret.get("type") == TOKEN_TYPE
        and said.get("usage-bootstrap-signing") == "true"
        and secret["metadata"]["name"] == f"bootstrap-token-{name}"
        and _ID.fullmatch(name)
        and _SECRET.fullmatch(key)
        and not _expired(said.get("expiration"), now)
    )
    return (name, key) if usable else None


def _expired(said: str | None, now: datetime) -> bool:
    """Also what is no time counts as past, as Kubernetes has it."""
    if said is None:
        return False
    try:
        return datetime.fromisoformat(said) <= now
    except (ValueError, TypeError):  # TypeError: a time without a zone
        return True
