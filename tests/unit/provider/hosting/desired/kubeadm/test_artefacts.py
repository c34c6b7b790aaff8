"""cluster-info, kubeadm-config and what the management cluster keeps of them: one endpoint, one CA, the version that serves."""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml

from provider.api import kinds
from provider.hosting.desired import kubeadm, kubeadmconfig
from provider.manifest import checksum, meta
from tests.golden.world import Walked, tenant, view
from tests.unit.provider.hosting.desired.kubeadm.inside import document, said, walked


def cluster_info(found: Walked) -> Any:
    return yaml.safe_load(said(found, "kubeadm", kinds.CONFIG_MAP, "cluster-info")["data"]["kubeconfig"])


def cluster_configuration(found: Walked) -> Any:
    return document(found, "kubeadm", "kubeadm-config", "ClusterConfiguration")


def test_cluster_info_says_server_and_authority_and_no_user() -> None:
    found = walked()
    info = cluster_info(found)
    (cluster,) = info["clusters"]
    assert cluster["name"] == ""
    assert cluster["cluster"]["server"] == "https://10.96.7.7:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == found.view.secret("demo-ca")["ca.crt"]
    assert (info["users"], info["contexts"], info["current-context"]) == ([], [], "")


def test_cluster_info_lies_where_anybody_looks_and_leaves_the_signers_keys_alone() -> None:
    made = said(walked(), "kubeadm", kinds.CONFIG_MAP, "cluster-info")
    assert made["metadata"]["namespace"] == "kube-public"
    assert set(made["data"]) == {"kubeconfig"}


def test_nodes_are_sent_to_the_advertised_address() -> None:
    network = {"address": "nodes.example.com", "advertiseAddress": "192.0.2.10", "port": 31443}
    found = walked(networkProfile=network)
    assert cluster_info(found)["clusters"][0]["cluster"]["server"] == "https://192.0.2.10:31443"
    assert cluster_configuration(found)["controlPlaneEndpoint"] == "192.0.2.10:31443"


def test_the_cluster_configuration_says_networks_names_and_registry() -> None:
    found = cluster_configuration(
        walked(
            kubernetes={"version": "1.36.3"},
            controlPlane={"deployment": {"registrySettings": {"registry": "r.example/k"}}},
            networkProfile={
                "certSANs": ["api.example.com"],
                "clusterDomain": "demo.local",
                "serviceCidrs": ["10.20.0.0/16", "fd00::/112"],
                "podCidrs": ["10.21.0.0/16", "fd01::/56"],
            },
        )
    )
    assert (found["apiVersion"], found["kind"]) == ("kubeadm.k8s.io/v1beta4", "ClusterConfiguration")
    assert found["kubernetesVersion"] == "v1.36.3"
    assert found["clusterName"] == "demo"
    assert found["imageRepository"] == "r.example/k"
    assert found["apiServer"] == {"certSANs": ["api.example.com"]}
    assert found["networking"] == {
        "dnsDomain": "demo.local",
        "podSubnet": "10.21.0.0/16,fd01::/56",
        "serviceSubnet": "10.20.0.0/16,fd00::/112",
    }


def test_a_node_learns_nothing_of_the_store() -> None:
    assert cluster_configuration(walked())["etcd"]["external"]["endpoints"] == ["https://127.0.0.1:2379"]
    assert "kamaji-system" not in json.dumps([each for each in walked().said["kubeadm"]])


def test_the_version_moves_when_every_api_server_runs_it() -> None:
    old = meta.new(
        kinds.POD,
        "demo-1",
        "tenants",
        spec={"containers": [{"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.35.4"}]},
    )
    raw = tenant()
    raw["status"] = {"kubernetesResources": {"version": {"version": "v1.35.4"}}}
    rolling = view(raw, old).inside(walked().view.tenant)
    found = kubeadm.clusterconfig.build(rolling.folded(*walked().view.seen.objects.values()))
    assert yaml.safe_load(found["data"]["ClusterConfiguration"])["kubernetesVersion"] == "v1.35.4"


def test_the_report_is_the_checksum_of_what_cluster_info_says_without_the_signatures() -> None:
    found = walked()
    assert found.view.tenant is not None
    info = said(found, "kubeadm", kinds.CONFIG_MAP, "cluster-info")
    signed = {**info, "data": {**info["data"], "jws-kubeconfig-abcdef": "signature"}}
    wanted = {"checksum": checksum.of(info["data"]), "lastUpdate": "2026-11-24T12:00:00Z"}
    for each in (info, signed):
        seen = found.view.inside(found.view.tenant.with_objects(each))
        assert kubeadm.report(seen) == {"kubeadmPhase": {"bootstrapToken": wanted}}
    assert kubeadm.report(view(tenant())) == {}


def test_the_management_cluster_keeps_both_documents_for_people() -> None:
    made = walked().one(kinds.CONFIG_MAP, "demo-kubeadmconfig")
    assert json.loads(made["data"]["ClusterConfiguration"])["controlPlaneEndpoint"] == "10.96.7.7:6443"
    assert json.loads(made["data"]["InitConfiguration"])["localAPIEndpoint"] == {
        "advertiseAddress": "10.96.7.7",
        "bindPort": 6443,
    }
    assert made["metadata"]["annotations"]["kamaji.clastix.io/checksum"] == checksum.of(made["data"])


def test_where_only_a_name_is_known_no_address_is_written_for_the_api_server() -> None:
    found = walked(networkProfile={"address": "api.example.com"}).one(kinds.CONFIG_MAP, "demo-kubeadmconfig")
    assert json.loads(found["data"]["InitConfiguration"])["localAPIEndpoint"] == {"bindPort": 6443}


def test_the_status_names_the_config_map_once_it_is_there() -> None:
    found = walked().view
    said_of = kubeadmconfig.report(found)["kubeadmconfig"]
    assert said_of["configmapName"] == "demo-kubeadmconfig"
    assert kubeadmconfig.report(view(tenant())) == {}
