"""kine beside kube-apiserver: it speaks etcd on a Unix socket of the pod, and SQL or NATS to the DataStore.

The way into the store comes from the tenant's Secret by the environment: as an argument, as upstream hands it over, the
password could be read by whoever lists processes on the node.
"""

from __future__ import annotations

from provider.api import names
from provider.hosting.desired.deployment import container, flags
from provider.hosting.view import MYSQL, NATS, POSTGRESQL, View
from provider.manifest import Manifest, pod

NAME = "kine"
UDS_VOLUME, CONFIG_VOLUME = "kine-uds", "kine-config"
FOLDER, CERTIFICATES = "/uds", "/certs"
SOCKET = f"unix://{FOLDER}/kine"
REQUESTS = {"cpu": "15m", "memory": "40Mi"}
VARIABLES = ("DB_CONNECTION_STRING", "DB_PASSWORD", "DB_SCHEMA", "DB_USER")
ENDPOINTS = {
    MYSQL: "mysql://$(DB_USER):$(DB_PASSWORD)@tcp($(DB_CONNECTION_STRING))/$(DB_SCHEMA)",
    NATS: "nats://$(DB_USER):$(DB_PASSWORD)@$(DB_CONNECTION_STRING)?bucket=$(DB_SCHEMA)&noEmbed",
    POSTGRESQL: "postgres://$(DB_USER):$(DB_PASSWORD)@$(DB_CONNECTION_STRING)/$(DB_SCHEMA)",
}
ADVICE = {"endpoint": "the tenant's place is the DataStore's and spec.dataStoreSchema's to say: remove it"}
MANAGED = ("endpoint", "skip-verify", "ca-file", "cert-file", "key-file")
"""Where the state lies and whom kine trusts is no user's to bend, also where we set nothing."""


def containers(view: View) -> list[Manifest]:
    """kine; none for a tenant on etcd. Invalid when a user's flag is not his to set."""
    assert view.store is not None
    if not view.store.kine:
        return []
    deployment = view.tcp.deployment
    resources = deployment.resources.kine if deployment.resources.kine is not None else {"requests": REQUESTS}
    return [
        {
            "name": NAME,
            "image": view.settings.kine_image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/kine"],
            "args": _args(view),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "env": [*pod.environment(container.go_runtime(view, NAME, resources)), *_way_in(view)],
            # For as long as the API server of a pod that ends still serves, and a little longer.
            "lifecycle": {"preStop": {"sleep": {"seconds": pod.FAREWELL + 2}}},
            "resources": resources,
            "securityContext": container.RESTRICTED,
            "volumeMounts": [
                pod.mount(UDS_VOLUME, FOLDER, read_only=False),
                *([pod.mount(CONFIG_VOLUME, CERTIFICATES)] if view.store.ca else []),
            ],
        }
    ]


def volumes(view: View) -> list[Manifest]:
    """Volumes of the pod; none for a tenant on etcd."""
    assert view.store is not None
    if not view.store.kine:
        return []
    socket = {"name": UDS_VOLUME, "emptyDir": {"medium": "Memory"}}
    secret = names.datastore_certificate_secret(view.name)
    return [socket, *([pod.secret_volume(CONFIG_VOLUME, secret, _files(view))] if view.store.ca else [])]


def api_server_mounts(view: View) -> list[Manifest]:
    """Mounts of kube-apiserver; none for a tenant on etcd."""
    assert view.store is not None
    return [pod.mount(UDS_VOLUME, FOLDER)] if view.store.kine else []


def _args(view: View) -> list[str]:
    """What is refused of the user's is so also where we leave it out."""
    user = view.tcp.deployment.extra_args.kine
    flags.merged(NAME, dict.fromkeys(MANAGED, ""), {}, user, ADVICE)
    files = {"ca.crt": "ca-file", "server.crt": "cert-file", "server.key": "key-file"}
    tls = {files[each]: f"{CERTIFICATES}/{each}" for each in _files(view)}
    # Its metrics would take a port of the pod that nobody reads.
    return flags.merged(NAME, {"listen-address": SOCKET, **tls}, {"metrics-bind-address": "0"}, user, ADVICE)


def _way_in(view: View) -> list[Manifest]:
    """A variable that is built of others has to come after them."""
    assert view.store is not None
    secret = names.datastore_config_secret(view.name)
    found: list[Manifest] = [
        {"name": each, "valueFrom": {"secretKeyRef": {"name": secret, "key": each}}} for each in VARIABLES
    ]
    return [*found, {"name": "KINE_ENDPOINT", "value": ENDPOINTS[view.store.driver]}]


def _files(view: View) -> list[str]:
    assert view.store is not None
    if not view.store.ca:
        return []
    client = view.store.client_ca is not None or view.store.client is not None
    return ["ca.crt", *(["server.crt", "server.key"] if client else [])]
