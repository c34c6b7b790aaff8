"""How a tenant's API server gets into a database: a password that stays, a certificate of its own, and nothing of root's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509 as parsing

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting import credential
from provider.hosting.desired import datastore
from provider.hosting.desired.deployment import kine
from provider.hosting.reconcile import claims
from provider.hosting.view import Keyspace, View
from provider.manifest import Manifest, meta, x509
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint, database, tenant, view, walk

KEYSPACE = Keyspace(schema="place", user="who")
CONFIG, CERTIFICATE = "demo-datastore-config", "demo-datastore-certificate"
STANDING = "a-password-that-stands-here"


def seen(*objects: Manifest, **changes: Any) -> View:
    return view(tenant(), *objects, **{"keyspace": KEYSPACE, "store": database("PostgreSQL"), **changes})


def config(password: str = STANDING, **annotations: str) -> Manifest:
    made = meta.new(kinds.SECRET, CONFIG, "tenants", data=meta.secret_data({"DB_PASSWORD": password}))
    made["metadata"]["annotations"] = {key.replace("_", "/"): value for key, value in annotations.items()}
    return made


def built(start: View) -> View:
    return start.folded(*datastore.build(start))


def test_the_connection_has_upstreams_keys_and_the_first_endpoint() -> None:
    data = built(seen()).secret(CONFIG)
    assert data["DB_CONNECTION_STRING"] == b"db-0.databases.svc:5432"
    assert (data["DB_SCHEMA"], data["DB_USER"]) == (b"place", b"who")
    assert len(data["DB_PASSWORD"]) > 15


def test_the_password_that_the_store_was_told_is_the_one_in_the_secret() -> None:
    assert (
        built(seen(password="told-to-the-store-just-now")).secret(CONFIG)["DB_PASSWORD"]
        == b"told-to-the-store-just-now"
    )


@pytest.mark.keeps("better.drivers")
@pytest.mark.parametrize("useless", ["", "short", "has@sign-and-is-long-enough", "has a space and is long enough"])
def test_a_password_that_a_url_would_have_to_escape_is_made_anew(useless: str) -> None:
    assert credential.store_password(seen(config()), database("PostgreSQL")) == STANDING
    assert credential.store_password(seen(config(useless)), database("PostgreSQL")) != useless


def test_a_password_that_was_asked_for_anew_is_another() -> None:
    asked = config()
    asked["metadata"]["annotations"] = {names.ANNOTATION_ROTATE: ""}
    assert credential.store_password(seen(asked), database("PostgreSQL")) != STANDING


def test_a_tenant_on_etcd_has_no_password_that_a_store_knows() -> None:
    assert credential.store_password(view(tenant(), config()), view(tenant()).store) == ""  # type: ignore[arg-type]


def test_a_tenant_has_a_certificate_of_its_own_where_the_authority_signs() -> None:
    data = built(seen()).secret(CERTIFICATE)
    assert parsing.load_pem_x509_certificate(data["server.crt"]).subject.rfc4514_string() == "CN=who"
    assert set(data) == {"ca.crt", "server.crt", "server.key"}


def test_where_it_cannot_sign_the_tenant_shows_the_datastores() -> None:
    mint = CountedMint(7000)
    ca = x509.authority("another", mint, NOW)
    client = x509.issue(Request(common_name="shared", client=True), ca, mint, NOW)
    store = replace(database("PostgreSQL"), client_ca=None, client=client)
    data = built(seen(store=store)).secret(CERTIFICATE)
    assert (data["server.crt"], data["server.key"]) == (client.certificate, client.key)


def test_with_an_authority_alone_the_server_is_known_and_nobody_shows_anything() -> None:
    store = replace(database("PostgreSQL"), client_ca=None)
    walked = walk(view(tenant(), keyspace=KEYSPACE, store=store))
    assert set(walked.view.secret(CERTIFICATE)) == {"ca.crt"}
    assert [each for each in walked.args("kine") if "file" in each] == ["--ca-file=/certs/ca.crt"]


def test_without_tls_the_secret_stands_empty_and_is_not_mounted() -> None:
    walked = walk(view(tenant(), keyspace=KEYSPACE, store=database("PostgreSQL", tls=False)))
    assert walked.one(kinds.SECRET, CERTIFICATE).get("data") in (None, {})
    assert [each["name"] for each in walked.container("kine")["volumeMounts"]] == ["kine-uds"]
    assert not [each for each in walked.args("kine") if "file" in each]


def test_no_word_of_a_password_stands_in_the_pod_and_none_of_roots_anywhere() -> None:
    walked = walk(view(tenant(), keyspace=KEYSPACE, store=database("PostgreSQL")))
    password = walked.view.secret(CONFIG)["DB_PASSWORD"].decode()
    assert password not in str(walked.pod)
    assert not [each for each in walked.args("kine") if "endpoint" in each or "$(" in each]
    environment = [each["name"] for each in walked.container("kine")["env"]]
    assert environment[-1] == "KINE_ENDPOINT", "it is put together of those before it"
    assert set(kine.VARIABLES) < set(environment)


@pytest.mark.parametrize(
    ("driver", "endpoint"),
    [
        ("MySQL", "mysql://$(DB_USER):$(DB_PASSWORD)@tcp($(DB_CONNECTION_STRING))/$(DB_SCHEMA)"),
        ("PostgreSQL", "postgres://$(DB_USER):$(DB_PASSWORD)@$(DB_CONNECTION_STRING)/$(DB_SCHEMA)"),
        ("NATS", "nats://$(DB_USER):$(DB_PASSWORD)@$(DB_CONNECTION_STRING)?bucket=$(DB_SCHEMA)&noEmbed"),
    ],
)
def test_kine_is_led_to_the_tenants_place_as_upstream_leads_it(driver: str, endpoint: str) -> None:
    walked = walk(view(tenant(), keyspace=KEYSPACE, store=database(driver)))
    assert walked.container("kine")["env"][-1] == {"name": "KINE_ENDPOINT", "value": endpoint}


def test_with_nats_the_tenant_is_the_datastores_own_user() -> None:
    data = built(seen(store=database("NATS"))).secret(CONFIG)
    assert (data["DB_USER"], data["DB_PASSWORD"], data["DB_SCHEMA"]) == (b"root", b"password-of-root", b"place")


def test_who_names_nothing_is_called_by_its_uid_as_far_as_the_store_takes_it() -> None:
    uid = seen().tcp.metadata.uid
    assert claims.wanted(seen(), database("PostgreSQL")) == Keyspace(schema=uid, user=uid)
    mysql = claims.wanted(seen(), database("MySQL"))
    assert (mysql.schema, mysql.user, len(mysql.user)) == (uid, uid.replace("-", ""), 32)
    assert claims.wanted(seen(), database("NATS")) == Keyspace(schema=uid, user="root")


def test_another_user_than_the_datastores_cannot_be_had_of_nats() -> None:
    for name, fits in (("root", True), ("me", False)):
        start = view(tenant(dataStoreUsername=name), store=database("NATS"))
        if fits:
            assert claims.wanted(start, database("NATS")).user == "root"
            continue
        with pytest.raises(Invalid, match="KeyspaceNameInvalid"):
            claims.wanted(start, database("NATS"))


def test_the_api_server_speaks_to_the_socket_and_to_nothing_else() -> None:
    walked = walk(view(tenant(), keyspace=KEYSPACE, store=database("PostgreSQL")))
    assert [each for each in walked.args("kube-apiserver") if each.startswith("--etcd")] == [
        "--etcd-db-metric-poll-interval=0",
        "--etcd-servers=unix:///uds/kine",
    ]
    assert "datastore-certificate" not in str([v for v in walked.pod["volumes"] if v["name"] == "etc-kubernetes-pki"])


@pytest.mark.parametrize(
    "flag", ["--endpoint=sqlite://", "--listen-address=0.0.0.0:2379", "--skip-verify", "--ca-file=/x"]
)
@pytest.mark.parametrize("tls", [True, False])
def test_where_the_state_lies_and_whom_kine_trusts_is_no_users_to_say(flag: str, tls: bool) -> None:
    raw = tenant(controlPlane={"deployment": {"extraArgs": {"kine": [flag]}}})
    start = view(raw, keyspace=KEYSPACE, store=database("PostgreSQL", tls=tls))
    with pytest.raises(Invalid, match="FlagManaged"):
        kine.containers(start)


@pytest.mark.fields("TenantControlPlane", "spec.controlPlane.deployment.extraArgs.kine")
def test_other_flags_of_kine_are_the_users() -> None:
    raw = tenant(controlPlane={"deployment": {"extraArgs": {"kine": ["--metrics-bind-address=:9090", "--debug"]}}})
    made = kine.containers(view(raw, keyspace=KEYSPACE, store=database("PostgreSQL", tls=False)))[0]
    assert made["args"] == ["--listen-address=unix:///uds/kine", "--metrics-bind-address=:9090", "--debug"]


@pytest.mark.fields("TenantControlPlane", "spec.controlPlane.deployment.resources.kine")
def test_what_kine_may_take_is_the_users_to_say_and_go_is_told_of_a_limit() -> None:
    limits = {"limits": {"memory": "100Mi"}}
    raw = tenant(controlPlane={"deployment": {"resources": {"kine": limits}}})
    made = kine.containers(view(raw, keyspace=KEYSPACE, store=database("PostgreSQL")))[0]
    assert made["resources"] == limits
    assert {"name": "GOMEMLIMIT", "value": str(int(100 * 2**20 * 0.9))} in made["env"]


def test_a_tenant_on_etcd_has_no_kine() -> None:
    start = view(tenant(), keyspace=KEYSPACE)
    assert (kine.containers(start), kine.volumes(start), kine.api_server_mounts(start)) == ([], [], [])


def test_what_is_secret_of_a_store_is_not_in_its_words() -> None:
    store = replace(database("NATS"), client=Pair(certificate=b"public", key=b"top secret"))
    assert "password-of-root" not in repr(store)
    assert "top secret" not in repr(store)
    assert "told" not in repr(seen(password="told"))
