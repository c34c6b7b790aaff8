"""What a tenant's pods serve to its own API server: an aggregated API, and an admission webhook that denies what is marked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lab import images
from provider.api import kinds
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import Manifest, meta, x509
from provider.manifest.meta import secret_data
from provider.manifest.x509 import Request

NAME, NAMESPACE, PORT = "served", "default", 8443
GROUP = "far.example.com"
MARK = {"e2e/deny": "yes"}
DENIAL = "this webhook denies all requests"  # agnhost's words
AGNHOST = next(each["name"] for each in images.document()["image"] if each.get("program") == "agnhost")


def manifests() -> list[Manifest]:
    """A pod of two containers behind two Services, what registers them, and their certificate."""
    mint, now = RandomMint(), datetime.now(UTC)
    ca = x509.authority("served", mint, now)
    hosts = frozenset(f"{name}.{NAMESPACE}.svc" for name in ("api", "webhook"))
    pair = x509.issue(Request(common_name="served", names=hosts, server=True), ca, mint, now)
    bundle = secret_data({"": ca.certificate})[""]
    tls = {"tls.crt": pair.certificate, "tls.key": pair.key}
    return [
        meta.new(kinds.SECRET, NAME, NAMESPACE, type="kubernetes.io/tls", data=secret_data(tls)),
        meta.new(kinds.POD, NAME, NAMESPACE, labels={"app": NAME}, spec=_pod()),
        _service("api", PORT),
        _service("webhook", PORT + 1),
        _api_service(bundle),
        _webhook(bundle),
    ]


def marked(name: str) -> Manifest:
    """A ConfigMap that the webhook denies."""
    return meta.new(kinds.CONFIG_MAP, name, NAMESPACE, labels=MARK, data={})


def _pod() -> dict[str, Any]:
    # Always the same answer, whatever is asked: a group without resources.
    document = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1", "resources": []}
    said = json.dumps(document, separators=(",", ":"))
    certificate = ["--tls-cert-file=/tls/tls.crt", "--tls-private-key-file=/tls/tls.key"]
    commands = {
        "api": ["netexec", f"--http-port={PORT}", "--udp-port=-1", f"--http-override=/echo?msg={said}", *certificate],
        "webhook": ["webhook", f"--port={PORT + 1}", *certificate],
    }
    mount = {"name": "tls", "mountPath": "/tls", "readOnly": True}
    containers = [
        {"name": name, "image": AGNHOST, "args": args, "volumeMounts": [mount]} for name, args in commands.items()
    ]
    volumes = [{"name": "tls", "secret": {"secretName": NAME}}]
    return {"containers": containers, "volumes": volumes, "terminationGracePeriodSeconds": 0}


def _service(name: str, port: int) -> Manifest:
    spec = {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": port}]}
    return meta.new(kinds.SERVICE, name, NAMESPACE, spec=spec)


def _api_service(bundle: str) -> Manifest:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "service": {"name": "api", "namespace": NAMESPACE, "port": 443},
            "caBundle": bundle,
        },
    }


def _webhook(bundle: str) -> Manifest:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    hook = {
        "name": "deny.far.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
        "objectSelector": {"matchLabels": MARK},
        "rules": [rule],
        "clientConfig": {
            "service": {"name": "webhook", "namespace": NAMESPACE, "path": "/always-deny", "port": 443},
            "caBundle": bundle,
        },
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [hook],
    }
