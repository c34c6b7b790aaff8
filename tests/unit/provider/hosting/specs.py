"""Tenants for property tests: random ones that the models take, and values that have hurt others, field by field.

A model's fields are drawn from its annotations, so a new field is tried without a word here. One fault hides all that comes
after it, so what is drawn at random is good where a fault would end the walk at once, and oddities are laid over it.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from provider.api.model import Model
from provider.api.schema import Foreign, NotYet
from provider.api.tenantcontrolplane import TenantSpec

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # an API server hands out no lone surrogates
WORDS = st.sampled_from(["a", "blue", "x.example.com", "registry.example.com/k8s", "v1.36.3", "10.0.0.1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)


def of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


COMPONENTS = ("api_server", "controller_manager", "scheduler")
FLAGS = st.lists(
    of("--v=2", "--profiling", "--leader-elect=true", "--leader-elect-retry-period=1s"), max_size=2, unique=True
)

# By the name of a field, or of a model and its field: what is not refused.
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "service_type": of("ClusterIP", "LoadBalancer"),
    "version": of("v1.36.3", "1.33.0", "v1.37.1+x.2", "v1.34.2-rc.1"),
    "address": of("192.0.2.1", "api.example.com", ""),
    "advertise_address": of("192.0.2.1", "192.0.2.2", ""),
    "cert_sans": st.lists(of("192.0.2.1", "2001:db8::1", "*.example.com", "a.example"), max_size=3),
    "service_cidr": of("10.96.0.0/16", "10.97.0.0/24"),
    "service_cidr_list": of(["10.96.0.0/16"], ["10.96.0.0/16", "fd00::/112"]),
    "pod_cidr": of("10.244.0.0/16", ""),
    "pod_cidr_list": of(["10.244.0.0/16"], ["fd01::/64"], ["fd01::/64", "10.244.0.0/16"]),
    "dns_service_ips": of([]),
    "cluster_domain": of("cluster.local", "demo.internal"),
    "data_store_schema": of("team_a"),
    "data_store_username": of("team_a"),
    "configuration_json_patches": of([], [{"op": "add", "path": "/maxPods", "value": 9}]),
    "port": of(1, 443, 6443, 31443, 65535),
    "replicas": of(0, 1, 2, 3),
    "runtime_class_name": of(None, "gvisor"),
    "service_account_name": of("default", "tenants.pods"),
    "additional_ports": of(
        [],
        [{"name": "web", "port": 80, "targetPort": "http"}],
        [{"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP", "appProtocol": "example.com/dns"}],
    ),
    **{f"ExtraArgs.{each}": FLAGS for each in COMPONENTS},
    **{f"ComponentResources.{each}": of({}, {"limits": {"memory": "1Gi", "cpu": "2"}}) for each in COMPONENTS},
}
PRESENT = ("network_profile", "deployment", "addons", "core_dns", "kube_proxy")  # else most would be left out

ADDRESSES = (
    "2001:db8::1",
    "::ffff:192.0.2.1",
    "fe80::1%eth0",
    "127.1",
    "a b",
    "ü.example",
    "a:1",
    "*.x",
    "x" * 254,
    "\n",
)
RANGES = (
    "",
    "x",
    "10.9.9.9/32",
    "10.0.0.0/29",
    "10.0.0.0/28",
    "172.16.3.7/20",
    "0.0.0.0/0",
    "::/0",
    "fd00::/128",
    "10.0.0.0",
)
MEMORY = ("1e999999999", "1e400", "9" * 500, "0", "-1", "1Gi ", "lots", "", 7, 1.5, None, True, [], {}, "NaN", "1_0")
KEYSPACES = ("a" * 64, "a" * 65, "a" * 254, "root", "a/b", "-", "ü", "", "a\n", "..")
PATHS = (
    "/clusterDNS/0",
    "/clusterDNS/-",
    "/clusterDNS/x",
    "/a/b",
    "",
    "x",
    "/",
    "/authentication",
    "/~2",
    "/healthzPort/x",
)
FLAGS_ODD = (
    "--etcd-servers=x",
    "--secure_port",
    "",
    "-",
    "x y",
    "--leader-elect-x=",
    "--disable-admission-plugins=NodeRestriction",
)

# Values by the path of a field.
ODD: dict[str, tuple[Any, ...]] = {
    "kubernetes.version": ("v1.36", "v9.9.9", "v1.2.3", "", "1.36.3\n", "v1.36.0-" + "x" * 60, "v01.36.0"),
    "kubernetes.admissionControllers": ([], ["NodeRestriction"], ["A,B"], ["x"] * 3),
    "kubernetes.kubelet.configurationJSONPatches": (
        *([{"op": op, "path": path, "value": 1}] for op in ("add", "remove", "replace", "test") for path in PATHS),
        *([{"op": op, "path": path, "from": "/a"}] for op in ("move", "copy") for path in PATHS),
        [{"op": "copy", "path": "/a"}],
        [{"op": "move", "path": "/authentication/x", "from": "/authentication"}],
    ),
    "controlPlane.service.serviceType": ("NodePort",),
    "controlPlane.service.additionalPorts": (
        [{"name": "", "port": 1, "targetPort": ""}],
        [{"name": "a", "port": 1, "targetPort": 0}],
        [{"name": "kube-apiserver", "port": 1, "targetPort": 1}],
        [{"name": "a", "port": 6443, "targetPort": 1}],
    ),
    "controlPlane.deployment.serviceAccountName": ("", "A", "a" * 254, "ü"),
    "controlPlane.deployment.runtimeClassName": ("", "A b"),
    "controlPlane.deployment.extraArgs.apiServer": tuple([each] for each in FLAGS_ODD),
    "controlPlane.deployment.extraArgs.scheduler": tuple([each] for each in FLAGS_ODD),
    "controlPlane.deployment.extraArgs.controllerManager": tuple([each] for each in FLAGS_ODD),
    "controlPlane.deployment.resources.apiServer": (
        *({"limits": {"memory": each}} for each in MEMORY),
        {"limits": None},
    ),
    "controlPlane.deployment.registrySettings.registry": ("", "a b", "ü"),
    "controlPlane.deployment.strategy": ({}, {"type": "Recreate"}, {"type": None}, {"rollingUpdate": None}),
    "controlPlane.deployment.topologySpreadConstraints": ([{}], [{"labelSelector": None}]),
    "networkProfile.address": ADDRESSES,
    "networkProfile.advertiseAddress": ADDRESSES,
    "networkProfile.certSANs": tuple([each] for each in ADDRESSES),
    "networkProfile.serviceCidr": RANGES,
    "networkProfile.podCidr": RANGES,
    "networkProfile.serviceCidrs": (*([each] for each in RANGES), ["fd00::/112", "10.96.0.0/16"], ["10.96.0.0/16"] * 2),
    "networkProfile.podCidrs": (*([each] for each in RANGES), ["10.1.0.0/16", "10.2.0.0/16"]),
    "networkProfile.dnsServiceIPs": (["x"], ["10.96.0.53"], ["fd00::a"], ["10.96.0.1", "10.96.0.2"], ["fe80::1%eth0"]),
    "networkProfile.clusterDomain": ("a.b {\n}", "ü.x", ".", "A.b", "a.b\n", "x." * 120 + "y", "-.-"),
    "networkProfile.port": (1, 65535),
    "dataStoreSchema": KEYSPACES,
    "dataStoreUsername": KEYSPACES,
    "addons.coreDNS": ({"imageTag": ""}, {"imageRepository": "", "imageTag": "ü"}),
    "addons.kubeProxy": ({"imageTag": ""}, {"imageRepository": ""}),
}
ODDITIES = [(path, value) for path, values in ODD.items() for value in values]


def laid(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The spec with a value at a path."""
    first, _, rest = path.partition(".")
    return {**spec, first: laid(spec.get(first) or {}, rest, value) if rest else value}


def specs() -> st.SearchStrategy[dict[str, Any]]:
    """Random specs of TenantControlPlanes, as JSON, with up to two oddities."""
    return st.builds(_odd, _model(TenantSpec), st.lists(st.sampled_from(ODDITIES), max_size=2))


def _odd(spec: dict[str, Any], oddities: list[tuple[str, Any]]) -> dict[str, Any]:
    for path, value in oddities:
        spec = laid(spec, path, value)
    return spec


@cache
def _model(model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    required, rest = {}, {}
    for name, field in model.model_fields.items():
        if any(isinstance(each, NotYet) for each in field.metadata):
            continue  # the API server takes none
        into = required if field.is_required() or name in PRESENT else rest
        into[field.alias or name] = _field(model, name, field)
    return st.fixed_dictionaries(required, optional=rest)


def _field(model: type[Model], name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    good = GOOD.get(f"{model.__name__}.{name}", GOOD.get(name))
    if good is not None:
        return good
    annotation = field.annotation
    if name in PRESENT:
        annotation = next((each for each in get_args(annotation) if each is not type(None)), annotation)
    return _type(annotation, [*field.metadata])


def _type(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if foreign := next((each for each in metadata if isinstance(each, Foreign)), None):
        required = dict.fromkeys(foreign.schema.get("required", ()), WORDS)
        return st.fixed_dictionaries(required, optional={"labelSelector": st.none(), "x": JSON})
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0], [*metadata, *_flat(inner[1:])])
    if origin in (Union, types.UnionType):
        return st.one_of(*(_type(each, metadata) for each in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(_type(inner[0], []), min_size=_bound(metadata, MinLen, 0), max_size=2)
    if origin is dict:
        return st.dictionaries(WORDS, WORDS, max_size=2)
    return _plain(annotation, metadata)


def _plain(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return _model(annotation)
    if annotation is str:
        least, most = _bound(metadata, MinLen, 0), _bound(metadata, MaxLen, 8)
        return st.one_of(
            WORDS, st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(8, most))
        )
    if annotation is int:
        return st.integers(_bound(metadata, Ge, 0), _bound(metadata, Le, 10**6))
    return {bool: st.booleans(), type(None): st.none(), Any: JSON}[annotation]


def _flat(metadata: tuple[Any, ...]) -> list[Any]:
    """`Field(ge=1)` within an annotation holds its own metadata."""
    return [inner for each in metadata for inner in (each.metadata if isinstance(each, FieldInfo) else [each])]


def _bound(metadata: list[Any], kind: type[Any], default: int) -> int:
    names = {Ge: "ge", Le: "le", MinLen: "min_length", MaxLen: "max_length"}
    return next((getattr(each, names[kind]) for each in metadata if isinstance(each, kind)), default)
