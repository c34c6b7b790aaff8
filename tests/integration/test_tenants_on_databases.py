"""A tenant whose state is in a database, from its object to its end: the passes, the real kine and the real kube-apiserver."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lab.servers import Authority
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.desired.writepermissions import OBJECT
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.sampling import CALM, HASTE, Sampler
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from tests.integration import held
from tests.integration.databases import ROOT, Database, MariaDB, Nats, Postgres
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import MANAGER, Hosted, context
from tests.integration.test_write_permissions import config_map, in_force, signed_as

SERVERS = {
    "PostgreSQL": Postgres,
    "PostgreSQL with certificates": lambda: Postgres(authority=Authority(), certified=True),
    "MariaDB": MariaDB,
    "MariaDB with certificates": lambda: MariaDB(authority=Authority(), certified=True),
    "NATS": Nats,
    "NATS with certificates": lambda: Nats(authority=Authority(), certified=True),
}


@dataclass
class Offered:
    """A database, and the DataStore that speaks of it."""

    database: Database
    cluster: Cluster
    name: str

    @classmethod
    async def of(cls, database: Database, cluster: Cluster, name: str) -> Offered:
        """Applied, and looked at once."""
        found = cls(database, cluster, name)
        await cluster.apply(meta.new(kinds.DATA_STORE, name, spec=database.spec()), manager=MANAGER)
        await found.look()
        return found

    async def look(self) -> Manifest:
        """One pass over the DataStore; its status."""
        await store_pass.datastore(context(self.cluster), self.name)
        found = await self.cluster.get(kinds.DATA_STORE, self.name)
        assert found is not None
        return dict(found["status"])


@pytest.fixture(scope="module", params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with SERVERS[request.param]().running() as found:
        yield found


@pytest.fixture
async def offered(management: Cluster, database: Database) -> Offered:
    return await Offered.of(database, management, f"databases-{next(COUNTER)}")


@pytest.fixture
async def hosted(offered: Offered, management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Hosted]:
    found = Hosted(management, offered, namespace, tmp_path)  # type: ignore[arg-type]
    yield found
    await found.stop()


async def keyspace(hosted: Hosted) -> Keyspace:
    setup = (await hosted.tcp())["status"]["storage"]["setup"]
    return Keyspace(schema=setup["schema"], user=setup["user"])


@pytest.mark.fields("DataStore", "spec.driver")
async def test_a_tenant_is_born_lives_and_leaves_nothing(offered: Offered, hosted: Hosted) -> None:
    await hosted.say(dataStore=offered.name, networkProfile={"port": hosted.port})
    await hosted.look(2)
    place = await keyspace(hosted)
    assert (await hosted.condition("StorageReady"))["status"] == "True"
    await hosted.serve()
    await hosted.until_joinable()
    inside = await hosted.session("super-admin.conf")
    await inside.apply(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"said": "here"}), manager=MANAGER)
    await inside.close()
    async with drivers.opened(offered.database.access()) as store:
        assert (await store.measure(place)).keys > 100, "what an API server writes at its start"
    assert (await offered.look())["usedBy"] == [f"{hosted.namespace}/{hosted.name}"]
    before = await hosted.get(kinds.DEPLOYMENT)
    assert await hosted.look() is not None
    assert await hosted.get(kinds.DEPLOYMENT) == before, "a quiet pass writes nothing"
    await ended(hosted)
    async with drivers.opened(offered.database.access()) as store:
        await store.check_free(place)
        assert (await store.drop(place)).keys == 0


@pytest.mark.keeps("better.usage")
@pytest.mark.parametrize("database", ["PostgreSQL", "MariaDB", "NATS"], indirect=True)
async def test_above_the_hard_limit_objects_are_read_and_deleted_until_enough_of_them_are_gone(
    offered: Offered, hosted: Hosted
) -> None:
    """History and air in tables do not count: kine drops the one late, and databases keep the other."""
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    await hosted.serve()
    await hosted.look(2)
    admin = await hosted.session("super-admin.conf")
    user = await signed_as(hosted, "somebody", "system:masters")
    for number in range(6):
        await user.create(config_map(f"heavy-{number}", what=secrets.token_urlsafe(300_000)))
    annotation = {"metadata": {"annotations": {names.ANNOTATION_STORAGE_HARD_LIMIT: "2Mi"}}}
    await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, annotation, manager=MANAGER)
    now = [0.0]
    sampler = Sampler(context(hosted.cluster), lambda: now[0])
    assert await sampler(offered.name) == HASTE
    await hosted.look()
    assert (await hosted.condition("StorageWithinLimits"))["reason"] == "HardLimitReached"
    await in_force(user, "new")
    with pytest.raises(ApiError, match="takes up all of the 2Mi that it may"):
        await user.create(config_map("refused"))
    assert await user.get(kinds.CONFIG_MAP, "heavy-0", "default") is not None
    for number in range(6):
        assert await user.delete(kinds.CONFIG_MAP, f"heavy-{number}", "default")
    now[0] = HASTE
    assert await sampler(offered.name) == CALM - HASTE
    await hosted.look()
    assert (await hosted.condition("StorageWithinLimits"))["status"] == "True"
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is None
    await hosted.said(kinds.TENANT_CONTROL_PLANE, hosted.name, {"storage": {"usage": {"writesPerMinute": 600}}})
    before = (await hosted.tcp())["metadata"]["resourceVersion"]
    await Sampler(context(hosted.cluster), lambda: 0.0)(offered.name)
    after = (await hosted.tcp())["metadata"]["resourceVersion"]
    assert after == before, "the first sample after a start of ours knows no rate, and says nothing of it"
    for each in (admin, user):
        await each.close()
    await ended(hosted)


@pytest.mark.keeps("better.encryption")
@pytest.mark.parametrize("database", ["PostgreSQL"], indirect=True)
async def test_what_lies_in_a_database_is_encrypted_and_not_called_proven(offered: Offered, hosted: Hosted) -> None:
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    await hosted.serve()
    await hosted.look(2)
    admin = await hosted.session("super-admin.conf")
    for number in range(20):
        data = meta.secret_data({"said": f"number {number}"})
        await admin.create(meta.new(kinds.SECRET, f"mine-{number}", "default", data=data))
    await admin.close()
    asked = {"metadata": {"annotations": {names.ANNOTATION_ENCRYPT: "secrets"}}}
    await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, asked, manager=MANAGER)
    await hosted.look()
    runs: Manifest = {}
    async with asyncio.timeout(180):
        while (told := await hosted.condition("Encrypted"))["status"] != "True":
            wanted = (await hosted.get(kinds.DEPLOYMENT))["spec"]["template"]
            if wanted != runs:
                await hosted.stop()
                await hosted.cluster.delete(kinds.POD, f"{hosted.name}-0", hosted.namespace)
                await hosted.serve()
                runs = wanted
            await hosted.look()
            await asyncio.sleep(0.2)
    assert "cannot be read off the store" in told["message"]
    assert (await hosted.tcp())["status"]["storage"]["encryption"]["proven"] is False
    place, access = await keyspace(hosted), offered.database.access()
    host, port = access.endpoints[0].split(":")
    way = {"host": host, "port": port, "user": access.user, "password": access.password, "dbname": place.schema}
    with psycopg.connect(**way) as connection:
        last = "SELECT DISTINCT ON (name) name, value FROM kine WHERE name LIKE '%/secrets/%' ORDER BY name, id DESC"
        found = {name: bytes(value) for name, value in connection.execute(last).fetchall()}
    mine = [value for name, value in found.items() if "/mine-" in name]
    assert len(mine) == 20
    assert all(each.startswith(b"k8s:enc:secretbox:v1:key-") for each in mine)
    await ended(hosted)


async def ended(hosted: Hosted) -> None:
    """Deleted, its pods gone, its passes taken until the object is."""
    await hosted.stop()
    await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
    await hosted.look()
    await hosted.cluster.delete(kinds.POD, f"{hosted.name}-0", hosted.namespace)
    async with asyncio.timeout(180):
        while await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace):
            await hosted.look()
            await asyncio.sleep(0.2)


async def test_the_password_is_in_the_secret_and_nowhere_else(
    offered: Offered, hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    secret = meta.decoded(await hosted.get(kinds.SECRET, names.datastore_config_secret(hosted.name)))
    assert secret["DB_CONNECTION_STRING"].decode() == offered.database.endpoint
    elsewhere = [await hosted.tcp(), await hosted.get(kinds.DEPLOYMENT), *await hosted.cluster.list(kinds.EVENT)]
    for password in (secret["DB_PASSWORD"].decode(), offered.database.PASSWORD):
        assert password not in str(elsewhere)
        assert password not in caplog.text
    await ended_without_pods(hosted)


@pytest.mark.parametrize("database", [each for each in SERVERS if "certificates" in each], indirect=True)
async def test_roots_credentials_are_nowhere_in_a_tenants_namespace_and_pods(offered: Offered, hosted: Hosted) -> None:
    """But for NATS, whose tenants are the DataStore's user, with a certificate of their own."""
    database = offered.database
    assert database.authority is not None and database.client is not None
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    await hosted.tell(await hosted.get(kinds.DEPLOYMENT))
    found = await held.by(hosted.cluster, hosted.namespace)
    own = meta.decoded(await hosted.get(kinds.SECRET, names.datastore_config_secret(hosted.name)))["DB_PASSWORD"]
    assert held.words(found, own) == [
        f"Secret {hosted.namespace}/{names.datastore_config_secret(hosted.name)}: DB_PASSWORD"
    ]
    if not isinstance(database, Nats):
        assert held.words(found, database.PASSWORD.encode()) == []
    for each in (database.client.key, database.authority.pair.key):
        assert held.key(found, each) == []
    await hosted.cluster.delete(kinds.POD, f"{hosted.name}-0", hosted.namespace)
    await ended_without_pods(hosted)


async def ended_without_pods(hosted: Hosted) -> None:
    await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
    await hosted.look(2)


SQL = pytest.mark.parametrize("database", [each for each in SERVERS if "NATS" not in each], indirect=True)
"""Where the tenant is a user of its own."""


@SQL
async def test_a_password_that_is_asked_for_anew_is_made_and_known_to_the_store(
    offered: Offered, hosted: Hosted
) -> None:
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    name = names.datastore_config_secret(hosted.name)
    before = meta.decoded(await hosted.get(kinds.SECRET, name))["DB_PASSWORD"]
    asked = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    await hosted.cluster.merge(kinds.SECRET, name, hosted.namespace, asked, manager=MANAGER)
    rolled = await hosted.get(kinds.DEPLOYMENT)
    await hosted.look()
    after = meta.decoded(await hosted.get(kinds.SECRET, name))["DB_PASSWORD"]
    assert after != before
    assert (await hosted.condition("StorageReady"))["status"] == "True", "proven with the new one"
    now = await hosted.get(kinds.DEPLOYMENT)
    assert now["spec"]["template"] != rolled["spec"]["template"], "the pods are made anew with it"
    await hosted.look()
    assert meta.decoded(await hosted.get(kinds.SECRET, name))["DB_PASSWORD"] == after
    await ended_without_pods(hosted)


async def test_a_secret_that_somebody_took_away_is_made_anew_with_a_password_that_works(
    offered: Offered, hosted: Hosted
) -> None:
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    await hosted.cluster.delete(kinds.SECRET, names.datastore_config_secret(hosted.name), hosted.namespace)
    await hosted.look()
    assert (await hosted.condition("StorageReady"))["status"] == "True"
    await ended_without_pods(hosted)


async def test_when_the_database_is_away_the_store_and_its_tenants_say_so_and_come_back(
    offered: Offered, hosted: Hosted
) -> None:
    offered.database.stop()
    try:
        await offered.look()
        await hosted.say(dataStore=offered.name)
        await hosted.look()
        told = await hosted.condition("StorageReady")
        assert (told["status"], told["reason"]) == ("False", "DataStoreNotReady")
        assert offered.database.endpoint in told["message"]
    finally:
        offered.database.start()
    assert (await offered.look())["ready"] is True
    await hosted.look(2)
    assert (await hosted.condition("StorageReady"))["status"] == "True"
    await ended_without_pods(hosted)


async def test_a_database_says_its_version_and_load_and_stays_while_somebody_lives_in_it(
    offered: Offered, hosted: Hosted
) -> None:
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    status = await offered.look()
    assert status["version"][:1].isdigit()
    assert status["load"]["tenants"] == 1
    before = await offered.cluster.get(kinds.DATA_STORE, offered.name)
    await offered.look()
    assert await offered.cluster.get(kinds.DATA_STORE, offered.name) == before, (
        "a ready store is looked at without a write"
    )

    await offered.cluster.delete(kinds.DATA_STORE, offered.name)
    said = {each["type"]: each for each in (await offered.look())["conditions"]}
    allowed = said["kamaji.clastix.io/DataStoreAllowedDeletion"]
    assert (allowed["status"], allowed["reason"]) == ("False", "DataStoreStillUsed")
    assert f"{hosted.namespace}/{hosted.name}" in allowed["message"]
    await ended_without_pods(hosted)
    await store_pass.datastore(context(offered.cluster), offered.name)
    assert await offered.cluster.get(kinds.DATA_STORE, offered.name) is None


@pytest.mark.parametrize("database", [each for each in SERVERS if "certificates" in each], indirect=True)
async def test_a_database_of_another_authority_is_not_ready_whatever_password_it_would_take(offered: Offered) -> None:
    spec, other = offered.database.spec(), Authority().pair
    trusted = {"certificate": content(other.certificate), "privateKey": content(other.key)}
    spec["tlsConfig"]["certificateAuthority"] = trusted
    await offered.cluster.apply(meta.new(kinds.DATA_STORE, offered.name, spec=spec), manager=MANAGER)
    status = await offered.look()
    said = {each["type"]: each for each in status["conditions"]}
    assert (status["ready"], said["Ready"]["reason"]) == (False, "Untrusted")


def content(value: bytes) -> Manifest:
    return {"content": meta.secret_data({"x": value})["x"]}


@SQL
async def test_a_schema_that_is_somebody_elses_is_refused_with_its_name(offered: Offered, hosted: Hosted) -> None:
    mine = Keyspace(schema="ledger", user="keeper")
    async with drivers.opened(offered.database.access()) as store:
        await store.ensure(mine, "a-password-of-32-letters-and-more")
        await hosted.say(dataStore=offered.name, dataStoreSchema="ledger", dataStoreUsername="other")
        await hosted.look()
        told = await hosted.condition("StorageReady")
        assert (told["status"], told["reason"]) == ("False", "KeyspaceTaken")
        assert "ledger" in told["message"]
        await ended_without_pods(hosted)
        assert (await store.drop(mine)).keys == 0, "it was still there"


@pytest.mark.parametrize(
    ("changes", "validation", "reason", "words"),
    [
        ({"basicAuth": None}, "BasicAuthValidationFailed", "FieldMissing", "spec.basicAuth.username is empty"),
        ({"password": "wrong"}, "", "Denied", "is the password right"),
        ({"endpoints": ["127.0.0.1:1"]}, "", "Unreachable", "nobody answers at 127.0.0.1:1"),
        ({"endpoints": ["no port"]}, "TLSConfigurationValidationFailed", "EndpointMalformed", "is no host:port"),
    ],
)
async def test_a_store_that_cannot_be_used_says_why(
    offered: Offered, changes: dict[str, Any], validation: str, reason: str, words: str
) -> None:
    spec = offered.database.spec()
    if password := changes.get("password"):
        spec["basicAuth"]["password"] = {"content": meta.secret_data({"x": password})["x"]}
    wrong = Offered(offered.database, offered.cluster, f"{offered.name}-wrong-{next(COUNTER)}")
    spec = {key: value for key, value in (spec | changes).items() if value is not None and key != "password"}
    if "tlsConfig" not in spec and "basicAuth" not in spec:
        spec["tlsConfig"] = {"certificateAuthority": {"certificate": {"content": "eA=="}}}
    await offered.cluster.apply(meta.new(kinds.DATA_STORE, wrong.name, spec=spec), manager=MANAGER)
    status = await wrong.look()
    said = {each["type"]: each for each in status["conditions"]}
    assert (status["ready"], said["Ready"]["reason"]) == (False, reason)
    assert words in said["Ready"]["message"]
    if validation:
        assert said["kamaji.clastix.io/DataStoreValidation"]["reason"] == validation
    assert offered.database.PASSWORD not in str(status)
    await offered.cluster.delete(kinds.DATA_STORE, wrong.name)
    await store_pass.datastore(context(offered.cluster), wrong.name)


@pytest.mark.parametrize("database", ["NATS"], indirect=True)
async def test_a_store_that_has_no_users_to_make_holds_one_tenant(
    offered: Offered, hosted: Hosted, management: Cluster, namespace: str, tmp_path: Path
) -> None:
    second = Hosted(management, offered, namespace, tmp_path / "second", name="second")  # type: ignore[arg-type]
    await hosted.say(dataStore=offered.name)
    await hosted.look(2)
    assert await keyspace(hosted) == Keyspace(schema=(await hosted.tcp())["metadata"]["uid"], user=ROOT)
    await second.say(dataStore=offered.name)
    await second.look()
    told = await second.condition("StorageReady")
    assert (told["status"], told["reason"]) == ("False", "KeyspaceTaken")
    assert f"{namespace}/{hosted.name}" in told["message"]
    await ended_without_pods(hosted)
    await second.look(2)
    assert (await second.condition("StorageReady"))["status"] == "True", "once it is free"
    await ended_without_pods(second)
    await second.stop()
