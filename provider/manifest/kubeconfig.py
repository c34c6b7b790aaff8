"""Kubeconfigs as block YAML: ours written and read back, other people's read. For the kubeconfigs part and the capi room."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import yaml

from provider.manifest import yamltext
from provider.manifest.x509 import Pair


@dataclass(frozen=True, kw_only=True)
class Kubeconfig:
    """One cluster, one user with a client certificate, one context `<user>@<cluster>` (override with `context`)."""

    cluster: str
    server: str
    ca: bytes
    user: str
    client: Pair
    context: str = ""

    def render(self) -> bytes:
        """Block YAML with a newline at its end and no `---`: people append several to one file."""
        context = self.context or f"{self.user}@{self.cluster}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": self.cluster, "cluster": {"certificate-authority-data": _b64(self.ca), "server": self.server}}
            ],
            "users": [
                {
                    "name": self.user,
                    "user": {
                        "client-certificate-data": _b64(self.client.certificate),
                        "client-key-data": _b64(self.client.key),
                    },
                }
            ],
            "contexts": [{"name": context, "context": {"cluster": self.cluster, "user": self.user}}],
            "current-context": context,
            "preferences": {},
        }
        return yamltext.written(document).encode()


def parse(content: bytes) -> Kubeconfig:
    """Read back one that `render` wrote (or one of the same shape). ValueError when it has another shape."""
    try:
        document: dict[str, Any] = yamltext.read(content)
        context = next(each for each in document["contexts"] if each["name"] == document["current-context"])
        cluster = next(each for each in document["clusters"] if each["name"] == context["context"]["cluster"])
        user = next(each for each in document["users"] if each["name"] == context["context"]["user"])
        return Kubeconfig(
            cluster=cluster["name"],
            server=cluster["cluster"]["server"],
            ca=base64.b64decode(cluster["cluster"]["certificate-authority-data"]),
            user=user["name"],
            client=Pair(
                certificate=base64.b64decode(user["user"]["client-certificate-data"]),
                key=base64.b64decode(user["user"]["client-key-data"]),
            ),
            context=context["name"],
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise ValueError("not a kubeconfig with one cluster and a client certificate") from error


@dataclass(frozen=True, kw_only=True)
class Access:
    """A way to an API server by words that stand in somebody else's kubeconfig: nothing to run, no file to read."""

    server: str
    ca: bytes | None  # None: the authorities that the system trusts
    client: Pair | None
    token: str
    tls_server_name: str | None


CLUSTER_WORDS = {
    *("server", "certificate-authority-data", "tls-server-name", "disable-compression", "extensions"),
    "insecure-skip-tls-verify",  # when it is false
}
USER_WORDS = {"client-certificate-data", "client-key-data", "token", "extensions"}


def access(content: bytes) -> Access:
    """What the current context of anybody's kubeconfig says. ValueError says what is not taken, and no value of it."""
    try:
        document: dict[str, Any] = yamltext.read(content)
        context = next(each for each in document["contexts"] if each["name"] == document["current-context"])["context"]
        cluster = next(each for each in document["clusters"] if each["name"] == context["cluster"])["cluster"]
        user = next(each for each in document["users"] if each["name"] == context["user"])["user"]
        strange = [*sorted(cluster.keys() - CLUSTER_WORDS), *sorted(user.keys() - USER_WORDS)]
        found = Access(
            server=cluster["server"].rstrip("/"),
            ca=_bytes(cluster, "certificate-authority-data") or None,
            client=Pair(certificate=_bytes(user, "client-certificate-data"), key=_bytes(user, "client-key-data"))
            if "client-certificate-data" in user
            else None,
            token=str(user.get("token") or ""),
            tls_server_name=cluster.get("tls-server-name") or None,
        )
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise ValueError("no kubeconfig whose current context names a cluster and a user of it") from error
    if cluster.get("insecure-skip-tls-verify"):
        strange.append("insecure-skip-tls-verify")
    if strange:
        raise ValueError(
            f"it has {', '.join(strange)}: of a kubeconfig in a Secret only addresses, certificates and tokens that stand in"
            " it are used; nothing is run and no file is read"
        )
    if not found.server.startswith("https://"):
        raise ValueError("its server is no https:// address")
    if not found.token and not (found.client and found.client.certificate and found.client.key):
        raise ValueError("its user has neither a token nor a client certificate with its key")
    return found


def _bytes(said: dict[str, Any], word: str) -> bytes:
    return base64.b64decode(said.get(word) or "", validate=True)


def same(one: bytes, other: bytes) -> bool:
    """Whether two kubeconfigs say the same, however they are laid out. Preferences, which nobody reads, do not count."""
    if one == other:
        return True
    try:
        said, other_said = (dict(yamltext.read(each)) for each in (one, other))
    except (yaml.YAMLError, TypeError, ValueError):
        return False
    return {**said, "preferences": {}} == {**other_said, "preferences": {}}


def discovery(server: str, ca: bytes) -> str:
    """What cluster-info says: one cluster without a name, no user. `kubeadm join` learns server and CA from it."""
    cluster = {"certificate-authority-data": _b64(ca), "server": server}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "", "cluster": cluster}],
        "contexts": [],
        "current-context": "",
        "preferences": {},
        "users": [],
    }
    return yamltext.written(document)


def in_pod(server: str) -> str:
    """A kubeconfig for a pod that reaches `server` with its own service account."""
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default", "cluster": {"certificate-authority": f"{account}/ca.crt", "server": server}}],
        "users": [{"name": "default", "user": {"tokenFile": f"{account}/token"}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "namespace": "default", "user": "default"}}],
        "current-context": "default",
    }
    return yamltext.written(document)


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
