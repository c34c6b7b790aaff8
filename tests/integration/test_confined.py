"""Confined to a namespace the provider has no right to any other's Secrets, and does its work without (docs/confined.md)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.servers import ApiServer, Authority, Etcd, free_port
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden
from provider.manifest import Manifest, meta, rbac
from tests.integration.real_controllers import until
from tests.integration.tenant_world import MANAGER, NAMESPACE, TenantWorld

RBAC = Path(__file__).parents[2] / "config/rbac"
PAGE = Path(__file__).parents[2] / "docs/confined.md"
USER = "confined"
EVERYWHERE = ("kamaji-process", "kamaji-hosting")


@dataclass
class Confined:
    """The program as it is, by a user with the rights that docs/confined.md leaves it."""

    folder: Path
    kubeconfig: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "provider.log").read_text()


@pytest.fixture
async def rights(hosting: TenantWorld, namespace: str) -> None:
    for file in ("process", "hosting"):
        for each in yaml.safe_load_all((RBAC / f"{file}.yaml").read_text()):
            if each["kind"] in ("ClusterRole", "Role"):
                await hosting.admin.apply(each, manager=MANAGER)
    user = rbac.user(USER)
    for each in EVERYWHERE:
        await hosting.admin.apply(rbac.cluster_role_binding(f"confined-{each}", each, {}, user), manager=MANAGER)
    for where in (NAMESPACE, namespace):
        await hosting.admin.apply(_bound(where, "ClusterRole", "kamaji-tenants", user), manager=MANAGER)
    for each in ("kamaji-lease", "kamaji-pools"):
        await hosting.admin.apply(_bound(NAMESPACE, "Role", each, user), manager=MANAGER)


def _bound(namespace: str, kind: str, name: str, user: Manifest) -> Manifest:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return meta.new(kinds.ROLE_BINDING, f"confined-{name}", namespace, roleRef=role, subjects=[user])


@pytest.fixture
def confined(rights: None, api_server: ApiServer, namespace: str, tmp_path: Path) -> Iterator[Confined]:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(api_server.kubeconfig(USER, "nobodies"))
    command = [sys.executable, "-m", "provider", "run", "--rooms=hosting", f"--namespace={namespace}"]
    settings = {"HEALTH_PORT": str(free_port()), "METRICS_PORT": "0", "DEFAULT_POOL": "", "IDENTITY": USER}
    environment = {f"KAMAJI_{key}": value for key, value in settings.items()}
    with (tmp_path / "provider.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--kubeconfig={kubeconfig}"],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[2],
        )
    yield Confined(tmp_path, kubeconfig, process)
    process.terminate()
    process.wait(120)


@pytest.mark.keeps("better.secrets-everywhere")
async def test_confined_to_a_namespace_tenants_get_their_pods_there_and_no_secret_elsewhere_can_be_read(
    hosting: TenantWorld, confined: Confined, namespace: str, tmp_path: Path
) -> None:
    authority = Authority()
    etcd = Etcd(tmp_path / "etcd", authority=authority).start()
    elsewhere = f"{namespace}-elsewhere"
    await hosting.admin.apply(meta.new(kinds.NAMESPACE, elsewhere), manager=MANAGER)
    try:
        store = await hosting.offer(f"confined-{namespace}", etcd, authority)
        outside = await hosting.ask_for("outside", elsewhere, store)
        inside = await hosting.ask_for("inside", namespace, store)

        async def made() -> bool:
            assert confined.process.poll() is None, confined.log
            return await hosting.look(kinds.DEPLOYMENT, inside) is not None

        await until(made, "the Deployment of a tenant in the provider's namespace")
        assert await hosting.look(kinds.SECRET, outside, names.ca_secret("outside")) is None
        assert not (await hosting.now(outside)).get("status")
        assert "Forbidden" not in confined.log, confined.log
        await _sees_no_secret(confined, elsewhere)
    finally:
        await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, "inside", namespace)

        async def gone() -> bool:
            return await hosting.look(kinds.TENANT_CONTROL_PLANE, inside) is None

        await until(gone, "the end of a tenant in the provider's namespace")
        etcd.stop()


async def _sees_no_secret(confined: Confined, namespace: str) -> None:
    user: Cluster = await connect.from_file(str(confined.kubeconfig))
    try:
        with pytest.raises(Forbidden):
            await user.get(kinds.SECRET, "any", namespace)
        with pytest.raises(Forbidden):
            await user.list(kinds.SECRET)
    finally:
        await user.close()


def test_the_page_names_every_role_that_is_bound_in_namespaces_only() -> None:
    bound = [
        each["roleRef"]["name"]
        for each in yaml.safe_load_all((RBAC / "process.yaml").read_text())
        if each["kind"] == "ClusterRoleBinding"
    ]
    reading = [
        each["metadata"]["name"]
        for file in RBAC.glob("*.yaml")
        for each in yaml.safe_load_all(file.read_text())
        if each["kind"] == "ClusterRole" and any("secrets" in rule["resources"] for rule in each["rules"])
    ]
    assert set(reading) <= set(bound)
    for each in reading:
        assert f"kubectl delete clusterrolebinding {each}\n" in PAGE.read_text()
        assert f"--clusterrole={each} " in PAGE.read_text()
