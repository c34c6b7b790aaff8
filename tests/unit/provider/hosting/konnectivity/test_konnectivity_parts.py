"""The tunnel's parts: what they say with the addon on, in both modes, with old images, and once it is off again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from cryptography import x509 as x509_library
from cryptography.x509.oid import NameOID

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting.desired.konnectivity import agent, server, sidecar
from provider.hosting.view import Seen, View
from provider.manifest import Manifest, kubeconfig, meta
from tests.golden.world import Walked, tenant, view, walk

ON: dict[str, Any] = {"server": {"port": 8132}, "agent": {}}


def konnectivity(**changes: Any) -> Manifest:
    return tenant(addons={"konnectivity": {**ON, **changes}})


def walked(**changes: Any) -> Walked:
    return walk(view(konnectivity(**changes)))


def status_of(seen: View) -> dict[str, Any]:
    said = {**server.report(seen)}
    block: dict[str, Any] = {**(said.get("addons") or {}).get("konnectivity", {})}
    return block | (agent.report(seen).get("addons") or {}).get("konnectivity", {})


@pytest.mark.keeps("better.one-revision")
def test_the_proxy_server_stands_last_in_the_one_deployment_and_the_api_server_knows_it() -> None:
    found = walked()
    assert [each["name"] for each in found.pod["containers"]] == [
        "kube-apiserver",
        "kube-scheduler",
        "kube-controller-manager",
        "konnectivity-server",
    ]
    configuration = "/etc/kubernetes/konnectivity/configurations/egress-selector-configuration.yaml"
    assert f"--egress-selector-config-file={configuration}" in found.args("kube-apiserver")
    mounts = {each["name"]: each["mountPath"] for each in found.container("kube-apiserver")["volumeMounts"]}
    assert mounts["konnectivity-uds"] == "/run/konnectivity"
    assert mounts["egress-selector-configuration"] == "/etc/kubernetes/konnectivity/configurations"
    assert {"konnectivity-uds", "egress-selector-configuration", "konnectivity-server-kubeconfig"} <= {
        each["name"] for each in found.pod["volumes"]
    }
    ports = found.one(kinds.SERVICE, "demo")["spec"]["ports"]
    assert [each["name"] for each in ports] == ["kube-apiserver", "konnectivity-server"]
    assert ports[1] | {"port": 8132, "targetPort": 8132, "protocol": "TCP"} == ports[1]


def test_the_proxy_server_sees_no_signing_key() -> None:
    mounts = walked().container("konnectivity-server")["volumeMounts"]
    from_pki = [each for each in mounts if each["name"] == "etc-kubernetes-pki"]
    assert {each["subPath"] for each in from_pki} == {"apiserver.crt", "apiserver.key"}


def test_a_node_port_serves_agents_at_the_same_number() -> None:
    raw = tenant(
        addons={"konnectivity": {"server": {"port": 30132}}},
        controlPlane={"service": {"serviceType": "NodePort"}},
        networkProfile={"address": "192.0.2.7", "port": 30443},
    )
    ports = walk(view(raw)).one(kinds.SERVICE, "demo")["spec"]["ports"]
    assert [each["nodePort"] for each in ports] == [30443, 30132]


@pytest.mark.keeps("better.tunnel-identity")
def test_the_proxy_servers_user_is_in_no_group_and_its_certificate_serves_nothing() -> None:
    found = walked()
    secret = found.one(kinds.SECRET, "demo-konnectivity-certificate")
    assert secret["type"] == "kubernetes.io/tls"
    certificate = x509_library.load_pem_x509_certificate(meta.decoded(secret)["tls.crt"])
    assert [each.value for each in certificate.subject] == ["system:konnectivity-server"]
    assert not certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    usages = certificate.extensions.get_extension_for_class(x509_library.ExtendedKeyUsage).value
    assert list(usages) == [x509_library.ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.keeps("better.tunnel-identity")
def test_what_the_user_may_do_is_to_judge_tokens_and_to_keep_leases() -> None:
    found = walked()
    binding = found.one(kinds.CLUSTER_ROLE_BINDING, "system:konnectivity-server")
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    assert [each["name"] for each in binding["subjects"]] == ["system:konnectivity-server"]
    published = found.one(kinds.ROLE, "konnectivity-server")
    counted = found.one(kinds.ROLE, "konnectivity-server-leases")
    assert published["metadata"]["namespace"] == counted["metadata"]["namespace"] == "kube-system"
    assert [rule["resources"] for rule in published["rules"] + counted["rules"]] == [["leases"], ["leases"]]
    assert counted["rules"][0]["verbs"] == ["list", "watch"]


@pytest.mark.keeps("better.rotation", "better.renewal")
def test_the_kubeconfig_holds_the_certificate_and_both_are_made_anew_together() -> None:
    first = walked()
    conf = meta.decoded(first.one(kinds.SECRET, "demo-konnectivity-kubeconfig"))["konnectivity-server.conf"]
    parsed = kubeconfig.parse(conf)
    certificate = meta.decoded(first.one(kinds.SECRET, "demo-konnectivity-certificate"))["tls.crt"]
    assert parsed.client.certificate == certificate
    assert (parsed.cluster, parsed.user, parsed.server) == (
        "kubernetes",
        "system:konnectivity-server",
        "https://localhost:6443",
    )
    later = walk(replace(first.view, now=first.view.now + timedelta(days=300), tenant=None))
    renewed = meta.decoded(later.one(kinds.SECRET, "demo-konnectivity-kubeconfig"))["konnectivity-server.conf"]
    assert kubeconfig.parse(renewed).client.certificate != certificate
    label = "component.kamaji.clastix.io/konnectivity-kubeconfig"
    before, after = (
        each.one(kinds.DEPLOYMENT, "demo")["spec"]["template"]["metadata"]["labels"][label] for each in (first, later)
    )
    assert before != after


def test_asking_for_another_kubeconfig_gives_another_certificate_and_asks_no_more() -> None:
    first = walked()
    secret = first.view.seen.get(kinds.SECRET, "demo-konnectivity-kubeconfig", "tenants")
    assert secret is not None
    asked = {**secret, "metadata": {**secret["metadata"], "annotations": {names.ANNOTATION_ROTATE: ""}}}
    again = walk(replace(first.view.folded(asked), tenant=None))
    before, after = (
        meta.decoded(each.one(kinds.SECRET, "demo-konnectivity-certificate"))["tls.crt"] for each in (first, again)
    )
    assert before != after
    annotations = again.one(kinds.SECRET, "demo-konnectivity-kubeconfig")["metadata"]["annotations"]
    assert annotations[names.ANNOTATION_ROTATE] != ""


def test_a_second_walk_says_the_same_to_the_letter() -> None:
    first = walked()
    assert walk(replace(first.view, tenant=first.view.tenant)).said == first.said


@pytest.mark.keeps("better.scaling-tunnel")
def test_scaling_changes_no_pod() -> None:
    def template(replicas: int) -> Manifest:
        raw = konnectivity()
        raw["spec"]["controlPlane"]["deployment"]["replicas"] = replicas
        pod: Manifest = walk(view(raw)).one(kinds.DEPLOYMENT, "demo")["spec"]["template"]["spec"]
        return next(each for each in pod["containers"] if each["name"] == "konnectivity-server")

    assert template(2) == template(5)


def test_agents_and_proxy_servers_agree_on_the_leases() -> None:
    found = walked()
    daemons = found.one(kinds.DAEMON_SET, "konnectivity-agent")
    (container,) = daemons["spec"]["template"]["spec"]["containers"]
    label = next(each for each in container["args"] if each.startswith("--lease-label="))
    assert label in found.args("konnectivity-server")
    assert "--count-server-leases=true" in container["args"]
    assert "--enable-lease-controller=true" in found.args("konnectivity-server")
    assert not [each for each in found.args("konnectivity-server") if each.startswith("--server-count")]


@pytest.mark.parametrize(
    ("on_server", "on_agent", "leases"),
    [
        (None, None, True),
        ("v0.31.0", "v0.31.0", True),
        ("v0.28.6", None, False),
        (None, "v0.30.3", False),
        ("latest", None, False),
        ("v1.0.0", "0.36.1", True),
    ],
)
def test_images_too_old_for_leases_are_told_the_number_instead(
    on_server: str | None, on_agent: str | None, leases: bool
) -> None:
    found = walked(server={"port": 8132, "version": on_server}, agent={"version": on_agent})
    assert ("--server-count=1" in found.args("konnectivity-server")) is not leases
    daemons = found.one(kinds.DAEMON_SET, "konnectivity-agent")
    (container,) = daemons["spec"]["template"]["spec"]["containers"]
    assert ("--count-server-leases=true" in container["args"]) is leases
    made = {each["metadata"]["name"] for each in found.said["konnectivity-agent"] if each["kind"] == "Role"}
    assert bool(made) is leases


@pytest.mark.parametrize(("version", "told"), [(None, True), ("v0.36.0", True), ("v0.34.0", False), ("latest", False)])
def test_a_proxy_server_that_would_wait_for_ever_is_told_when_to_end(version: str | None, told: bool) -> None:
    args = walked(server={"port": 8132, "version": version}).args("konnectivity-server")
    assert ("--graceful-shutdown-timeout=500ms" in args) is told


def test_the_tag_is_the_minors_unless_the_user_says_another() -> None:
    found = walked(agent={"version": "v0.33.9", "image": "example.com/agent"})
    assert found.container("konnectivity-server")["image"] == "registry.k8s.io/kas-network-proxy/proxy-server:v0.36.0"
    daemons = found.one(kinds.DAEMON_SET, "konnectivity-agent")
    assert daemons["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/agent:v0.33.9"


def test_agents_dial_the_tenants_address_with_a_token_for_the_proxy_server_alone() -> None:
    daemons = walked().one(kinds.DAEMON_SET, "konnectivity-agent")
    pod = daemons["spec"]["template"]["spec"]
    assert "--proxy-server-host=10.96.7.7" in pod["containers"][0]["args"]
    assert "--proxy-server-port=8132" in pod["containers"][0]["args"]
    (volume,) = pod["volumes"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "system:konnectivity-server"
    assert pod["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    assert pod["hostNetwork"] is False
    assert daemons["spec"]["selector"] == {"matchLabels": {"k8s-app": "konnectivity-agent"}}


def test_a_users_flag_of_an_agent_wins_over_ours() -> None:
    daemons = walked(agent={"extraArgs": ["-v=8", "--keepalive-time=30s"]}).one(kinds.DAEMON_SET, "konnectivity-agent")
    args = daemons["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[-2:] == ["-v=8", "--keepalive-time=30s"]
    assert len([each for each in args if each.lstrip("-").startswith(("v=", "keepalive-time="))]) == 2


@pytest.mark.parametrize("flag", ["--uds-name=/tmp/x", "--authentication_audience=x", "--kubeconfig=/x"])
def test_what_agents_and_api_server_rely_on_is_not_the_users_to_set(flag: str) -> None:
    declined = walked(server={"port": 8132, "extraArgs": [flag]}).declined["deployment"]
    assert isinstance(declined, Invalid)
    assert "spec.addons.konnectivity.server.extraArgs" in declined.message


def test_the_api_servers_selector_is_not_the_users_while_the_addon_is_on() -> None:
    raw = konnectivity()
    flag = "--egress-selector-config-file=/mine"
    raw["spec"]["controlPlane"]["deployment"]["extraArgs"] = {"apiServer": [flag]}
    assert "addons.konnectivity" in walk(view(raw)).declined["deployment"].message


def test_a_deployment_of_agents_keeps_the_replicas_that_the_tenant_made_of_it() -> None:
    said = walked(agent={"mode": "Deployment"})
    made = said.one(kinds.DEPLOYMENT, "konnectivity-agent")
    assert made["spec"]["replicas"] == 2
    scaled = {**made, "spec": {**made["spec"], "replicas": 7}}
    again = walk(view(konnectivity(agent={"mode": "Deployment"})), inside=Seen().with_objects(scaled))
    assert again.one(kinds.DEPLOYMENT, "konnectivity-agent")["spec"]["replicas"] == 7
    fixed = walk(view(konnectivity(agent={"mode": "Deployment", "replicas": 3})), inside=Seen().with_objects(scaled))
    assert fixed.one(kinds.DEPLOYMENT, "konnectivity-agent")["spec"]["replicas"] == 3


def test_another_mode_says_the_other_kind_only() -> None:
    kinds_said = [each["kind"] for each in walked(agent={"mode": "Deployment"}).said["konnectivity-agent"]]
    assert "Deployment" in kinds_said and "DaemonSet" not in kinds_said


@pytest.mark.parametrize(
    ("port", "network", "fault"),
    [(80, {}, "from 1024"), (8132, {"port": 8132}, "cannot be had"), (10257, {}, "cannot be had")],
)
def test_a_port_that_cannot_be_had_is_refused(port: int, network: dict[str, Any], fault: str) -> None:
    raw = tenant(addons={"konnectivity": {"server": {"port": port}}}, networkProfile=network)
    declined = walk(view(raw)).declined["spec"]
    assert isinstance(declined, Invalid) and fault in declined.message


def test_only_the_tenants_cluster_is_reached_through_the_tunnel() -> None:
    config_map = walked().one(kinds.CONFIG_MAP, "demo-konnectivity-egress-selector-configuration")
    document = yaml.safe_load(config_map["data"]["egress-selector-configuration.yaml"])
    assert document["apiVersion"] == "apiserver.k8s.io/v1beta1"
    (selection,) = document["egressSelections"]
    assert selection["name"] == "cluster"
    assert selection["connection"]["proxyProtocol"] == "GRPC"
    socket = selection["connection"]["transport"]["uds"]["udsName"]
    assert f"--uds-name={socket}" in walked().args("konnectivity-server")


@pytest.mark.keeps("better.tunnel-off")
def test_nothing_is_said_of_it_while_the_addon_is_off() -> None:
    found = walk(view(tenant()))
    assert found.said["konnectivity"] == found.said["konnectivity-agent"] == []
    assert "konnectivity" not in str(found.one(kinds.DEPLOYMENT, "demo"))
    assert status_of(found.view) == {}


def off(before: Walked) -> View:
    """The same world after the block was taken out of the spec."""
    raw = {**tenant(), "status": {"addons": {"konnectivity": status_of(before.view)}}}
    return replace(view(raw), seen=before.view.seen, tenant=before.view.tenant)


@pytest.mark.keeps("better.tunnel-off")
def test_credentials_and_agents_stay_until_the_last_pod_with_the_proxy_server_has_ended() -> None:
    before = walked()
    made = before.one(kinds.DEPLOYMENT, "demo")
    pod = meta.new(kinds.POD, "demo-1", "tenants", spec=made["spec"]["template"]["spec"])
    start = off(before).folded(pod)
    during = walk(start)
    assert during.one(kinds.SECRET, "demo-konnectivity-kubeconfig")
    assert "konnectivity" not in str(during.one(kinds.DEPLOYMENT, "demo"))
    assert during.declined["konnectivity-agent"].reason == "TunnelInUse"

    seen = {key: each for key, each in during.view.seen.objects.items() if key[0] != "Pod"}
    after = walk(replace(during.view, seen=Seen(seen)))
    assert after.said["konnectivity"] == after.said["konnectivity-agent"] == []
    assert not sidecar.needed(after.view)


def test_the_status_tells_every_part_and_then_only_that_it_is_off() -> None:
    on = walked().view
    block = status_of(on)
    assert block["enabled"] is True
    assert set(block) == {
        "enabled",
        "configMap",
        "certificate",
        "kubeconfig",
        "service",
        "sa",
        "clusterrolebinding",
        "agent",
    }
    assert block["agent"] | {"mode": "DaemonSet", "name": "konnectivity-agent"} == block["agent"]
    assert block["service"] == {"name": "demo", "namespace": "tenants", "port": 8132}
    stands = {**on.raw, "status": {"addons": {"konnectivity": block}}}
    assert status_of(replace(on, raw=stands, now=on.now + timedelta(hours=1))) == {}

    bare = tenant()
    gone = replace(view({**bare, "status": {"addons": {"konnectivity": block}}}), tenant=Seen())
    changes = status_of(gone)
    assert changes == {"enabled": False} | dict.fromkeys(set(block) - {"enabled"})
