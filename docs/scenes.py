"""The pictures of docs/concepts.md, as data: which boxes stand where, and which arrows lead between them."""

from __future__ import annotations

from docs.drawing import Arrow, Box, picture

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
OUTSIDE = (
    Box("people", (670, 56, 170, 52), ("people, programs", "with a kubeconfig"), "other"),
    Box("nodes-a", (670, 180, 170, 52), ("nodes of tenant a", "anywhere"), "tenant"),
    Box("nodes-b", (670, 296, 170, 52), ("nodes of tenant b", "anywhere"), "tenant"),
)


def whole() -> str:
    """What runs where."""
    boxes = [
        Box("management", (10, 10, 580, 380), ("management cluster",), "frame"),
        Box("provider", (30, 50, 210, 64), ("provider", "watches, makes, repairs")),
        Box(
            "objects",
            (320, 50, 250, 64),
            ("objects", "Cluster, KamajiControlPlane,", "TenantControlPlane, DataStore"),
            "other",
        ),
        Box("a", (320, 160, 250, 92), ("tenant a: one Deployment", *COMPONENTS), "tenant"),
        Box("b", (320, 276, 250, 92), ("tenant b: one Deployment", *COMPONENTS), "tenant"),
        Box(
            "store",
            (30, 208, 210, 112),
            ("DataStore", "an etcd of 1, 3 or 5 members", "keys of a, keys of b,", "apart by etcd's roles"),
            "store",
        ),
        *OUTSIDE,
    ]
    arrows = [
        Arrow("provider", "objects", "reads"),
        Arrow("provider", "store", "makes, tries"),
        Arrow("objects", "a", "are made into"),
        Arrow("a", "store"),
        Arrow("b", "store"),
        Arrow("people", "objects"),
        Arrow("nodes-a", "a", "TLS"),
        Arrow("nodes-b", "b", "TLS"),
    ]
    return picture(
        860, 400, "The provider and the control planes of two tenants are pods of one management cluster", boxes, arrows
    )


def birth() -> str:
    """Who makes what, when Cluster API asks."""
    boxes = [
        Box("cluster", (20, 30, 190, 56), ("Cluster", "of Cluster API"), "other"),
        Box("kcp", (20, 140, 190, 56), ("KamajiControlPlane", "version, replicas")),
        Box("tcp", (20, 250, 190, 56), ("TenantControlPlane", "in Kamaji's words")),
        Box(
            "made",
            (290, 240, 270, 76),
            ("Secrets, Service, Deployment", "certificates, address, pods", "kept as they should be"),
            "tenant",
        ),
        Box("infra", (290, 30, 270, 56), ("infrastructure's cluster", "OpenStackCluster, VSphereCluster …"), "other"),
        Box(
            "inside",
            (640, 240, 200, 76),
            ("inside the tenant", "what kubeadm join reads,", "CoreDNS, kube-proxy"),
            "tenant",
        ),
        Box("machines", (640, 30, 200, 56), ("Machines", "join as nodes"), "other"),
    ]
    arrows = [
        Arrow("cluster", "kcp", "names"),
        Arrow("cluster", "infra", "names"),
        Arrow("kcp", "tcp", "makes"),
        Arrow("tcp", "made", "is made into"),
        Arrow("made", "inside", "serves"),
        Arrow("made", "infra", "tells the endpoint"),
        Arrow("infra", "machines"),
        Arrow("machines", "inside", "kubeadm join"),
    ]
    return picture(860, 336, "From a Cluster to nodes: each object makes the next", boxes, arrows)


def one_pass() -> str:
    """What happens each time something has moved."""
    boxes = [
        Box("queue", (20, 20, 120, 56), ("queue", "one pass a key"), "other"),
        Box("observe", (180, 20, 120, 56), ("observe", "reads all there is")),
        Box("view", (340, 20, 120, 56), ("view", "frozen"), "other"),
        Box("parts", (500, 20, 140, 56), ("parts", "whole objects, pure")),
        Box("apply", (680, 20, 140, 56), ("apply", "only what differs")),
        Box("status", (500, 120, 140, 56), ("status", "conditions: why not")),
    ]
    arrows = [
        Arrow("queue", "observe"),
        Arrow("observe", "view"),
        Arrow("view", "parts"),
        Arrow("parts", "apply"),
        Arrow("parts", "status"),
    ]
    return picture(840, 196, "One pass: observe, view, parts, apply, status", boxes, arrows)


def keyspaces() -> str:
    """How tenants of one store are kept apart."""
    boxes = [
        Box("a", (20, 40, 210, 56), ("tenant a's API server", "shows certificate CN=a"), "tenant"),
        Box("b", (20, 140, 210, 56), ("tenant b's API server", "shows certificate CN=b"), "tenant"),
        Box("provider", (20, 240, 210, 56), ("provider", "shows root's certificate")),
        Box("etcd", (320, 10, 520, 306), ("etcd, auth on",), "frame"),
        Box("user-a", (350, 46, 190, 44), ("user a, role a", "reads and writes /a/"), "other"),
        Box("user-b", (350, 146, 190, 44), ("user b, role b", "reads and writes /b/"), "other"),
        Box("keys-a", (630, 46, 180, 44), ("/a/…", "keys of tenant a"), "store"),
        Box("keys-b", (630, 146, 180, 44), ("/b/…", "keys of tenant b"), "store"),
        Box("root", (350, 246, 460, 44), ("root", "makes users and roles, compacts, tries what is refused"), "other"),
    ]
    arrows = [
        Arrow("a", "user-a"),
        Arrow("b", "user-b"),
        Arrow("user-a", "keys-a"),
        Arrow("user-b", "keys-b"),
        Arrow("provider", "root"),
    ]
    return picture(860, 326, "Each tenant has a user, a role and a range of keys of its own", boxes, arrows)


def rotation() -> str:
    """An authority is replaced in three rollouts."""
    boxes = [
        Box("before", (20, 40, 180, 56), ("before", "old one signs, is trusted"), "other"),
        Box("both", (240, 40, 180, 56), ("1: both are trusted", "old one signs"), "tenant"),
        Box("signs", (460, 40, 180, 56), ("2: new one signs", "both are trusted"), "tenant"),
        Box("after", (680, 40, 160, 56), ("3: old one is dropped", "new one alone")),
    ]
    arrows = [
        Arrow("before", "both"),
        Arrow("both", "signs"),
        Arrow("signs", "after", dashed=True),
    ]
    return picture(
        860, 136, "An authority is replaced in three rollouts; before the last, all nodes have followed", boxes, arrows
    )


SCENES = {"whole": whole, "birth": birth, "pass": one_pass, "keyspaces": keyspaces, "rotation": rotation}
