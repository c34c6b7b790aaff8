"""`kamaji join-command`: the `kubeadm join` line for one more worker, with a fresh bootstrap token. Called by `commands`."""

from __future__ import annotations

import hashlib
import secrets
import string
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provider.api import kinds, names
from provider.cli.trouble import Trouble
from provider.manifest import Manifest, kubeconfig, meta
from provider.manifest.condition import timestamp

LETTERS = string.ascii_lowercase + string.digits
LONGEST = timedelta(days=7)


def token() -> tuple[str, str]:
    """Id and secret of a bootstrap token, as kubeadm writes them: six and sixteen letters."""
    return _random(6), _random(16)


def secret(found: tuple[str, str], life: timedelta, now: datetime) -> Manifest:
    """The Secret inside the tenant that makes the token good until then. Trouble for a life that is none, or too long."""
    if not timedelta() < life <= LONGEST:
        raise Trouble(f"a token lives for more than nothing and at most {LONGEST.days} days: say --ttl 24h")
    content = {
        "token-id": found[0],
        "token-secret": found[1],
        "expiration": timestamp(now + life),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": names.NODE_TOKEN_GROUP,
        "description": "by kamaji join-command",
    }
    name = f"bootstrap-token-{found[0]}"
    return meta.new(
        kinds.SECRET, name, "kube-system", type="bootstrap.kubernetes.io/token", data=meta.secret_data(content)
    )


def command(admin: bytes, found: tuple[str, str]) -> str:
    """The line, to be run as root on a machine with kubeadm and kubelet of the tenant's version."""
    read = kubeconfig.parse(admin)
    endpoint = read.server.removeprefix("https://").rstrip("/")
    pins = " ".join(f"--discovery-token-ca-cert-hash sha256:{each}" for each in pinned(read.ca))
    return f"kubeadm join {endpoint} --token {found[0]}.{found[1]} {pins}"


def pinned(bundle: bytes) -> list[str]:
    """SHA-256 of each authority's public key, as kubeadm compares it; while an authority is replaced there are two."""
    keys = [each.public_key() for each in x509.load_pem_x509_certificates(bundle)]
    return [
        hashlib.sha256(each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest() for each in keys
    ]


def _random(size: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(size))
