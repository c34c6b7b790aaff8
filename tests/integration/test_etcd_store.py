"""The etcd driver against a real etcd with TLS, client certificates and auth: what it grants, proves, erases and refuses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from etcd3aio import EtcdError, EtcdPermissionDeniedError
from etcd3aio._protobuf import AlarmRequest, RangeRequest, RequestOp, TxnRequest
from etcd3aio.auth import PermissionType
from etcd3aio.kv import KVService
from etcd3aio.maintenance import AlarmType

from lab.servers import Authority, Etcd, free_port
from provider.hosting.datastores.errors import (
    IsolationBroken,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
    Taken,
)
from provider.hosting.datastores.etcd import dialing, paging
from provider.hosting.datastores.etcd.ranges import PROBE, range_of
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import Usage
from provider.hosting.view import Keyspace
from tests.integration.lent_etcd import Lent, keyspace
from tests.integration.power import PowerCut, lasting

READWRITE = int(PermissionType.READWRITE)
MI = 2**20


@pytest.fixture(scope="module", params=["etcd", "etcd-3.7"])
def lent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    """The minor that stores begin with, and the one that they are upgraded to."""
    authority = Authority()
    etcd = Etcd(tmp_path_factory.mktemp("lent"), authority=authority, program=request.param).start()
    yield Lent(etcd, authority)
    etcd.stop()


@pytest.fixture
async def store(lent: Lent) -> AsyncIterator[EtcdStore]:
    """The store as its root, with auth on."""
    async with lent.store() as store:
        await store.enable_auth()
        yield store


@pytest.fixture
async def root(lent: Lent, store: EtcdStore) -> AsyncIterator[Any]:
    """etcd's own client as root: the world behind the driver's back."""
    async with await lent.wire() as wire:
        yield wire


async def permissions(root: Any, role: str) -> list[tuple[int, bytes, bytes]]:
    return [(each.permType, each.key, each.range_end) for each in (await root.auth.role_get(role)).perm]


async def revision(root: Any) -> int:
    """Moves with every change of users and roles."""
    return int((await root.auth.auth_status()).authRevision)


def right(schema: str) -> list[tuple[int, bytes, bytes]]:
    return [(READWRITE, f"/{schema}/".encode(), f"/{schema}0".encode())]


# Grants


async def test_a_grant_is_a_user_a_role_and_one_permission_and_the_second_time_nothing(
    store: EtcdStore, root: Any
) -> None:
    mine = keyspace("granted", "granted-user")
    assert await store.ensure(mine) is True
    assert list((await root.auth.user_get("granted-user")).roles) == ["granted"]
    assert await permissions(root, "granted") == right("granted")
    before = await revision(root)
    assert await store.ensure(mine) is False
    assert await revision(root) == before


async def test_a_user_with_a_name_of_more_than_64_characters_is_let_in_by_its_certificate(
    lent: Lent, store: EtcdStore
) -> None:
    """Upstream records such; ours are refused when they are written."""
    mine = keyspace("long", "u" * 100)
    await store.ensure(mine)
    async with lent.store(mine.user) as tenants:
        await tenants.verify(mine)
    await store.drop(mine)


WIDE = {
    "open at its end": (PermissionType.READWRITE, b"/wide/", b"\0"),
    "from the first key of all": (PermissionType.READWRITE, b"\0", b"/wide0"),
    "a neighbour's, to read": (PermissionType.READ, b"/neighbour/", b"/neighbour0"),
    "a neighbour's, to write": (PermissionType.WRITE, b"/neighbour/", b"/neighbour0"),
    "every key above, to write": (PermissionType.WRITE, b"/wide0", b"\0"),
    "one key": (PermissionType.READ, PROBE, None),
    "the slash left out": (PermissionType.READWRITE, b"/wide", b"/widf"),
}


@pytest.mark.parametrize(("kind", "start", "end"), WIDE.values(), ids=WIDE.keys())
async def test_a_grant_that_is_too_wide_is_found_and_narrowed_and_hurts_nobody_meanwhile(
    lent: Lent, store: EtcdStore, root: Any, kind: PermissionType, start: bytes, end: bytes | None
) -> None:
    mine, other = keyspace("wide"), keyspace("neighbour")
    await store.ensure(mine)
    await store.ensure(other)
    await root.kv.put(b"/neighbour/key", b"value")
    await root.auth.role_grant_permission("wide", start, end, perm_type=kind)

    async with lent.store("wide") as tenants:
        with pytest.raises(IsolationBroken, match="role wide"):
            await tenants.verify(mine)
    assert await store.count("neighbour") == 1

    assert await store.ensure(mine) is True
    assert await permissions(root, "wide") == right("wide")
    async with lent.store("wide") as tenants:
        await tenants.verify(mine)


async def test_a_grant_that_only_reads_is_made_whole(store: EtcdStore, root: Any) -> None:
    await root.auth.role_add("reader")
    await root.auth.role_grant_permission("reader", b"/reader/", b"/reader0", perm_type=PermissionType.READ)
    assert await store.ensure(keyspace("reader")) is True
    assert await permissions(root, "reader") == right("reader")


async def test_while_a_grant_is_narrowed_its_tenant_is_never_shut_out(lent: Lent, store: EtcdStore, root: Any) -> None:
    await root.auth.role_add("busy")
    await root.auth.role_grant_permission("busy", b"/busy/", b"\0", perm_type=PermissionType.READWRITE)
    await root.auth.user_add("busy", "", no_password=True)
    await root.auth.user_grant_role("busy", "busy")
    written: list[bytes] = []

    async def write() -> None:
        async with await lent.wire("busy") as wire:
            while True:
                await dialing.settled(partial(wire.kv.put, b"/busy/key", b""))  # as etcd's own client does
                written.append(b"")

    async def goes_on() -> None:
        before = len(written)
        async with asyncio.timeout(60):
            while len(written) < before + 5:
                assert not writer.done(), await writer
                await asyncio.sleep(0.01)

    writer = asyncio.create_task(write())
    await goes_on()
    await store.ensure(keyspace("busy"))
    await goes_on()
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)


async def test_sixty_tenants_are_let_in_side_by_side_and_each_sees_its_own_alone(lent: Lent, store: EtcdStore) -> None:
    everybody = [keyspace(f"many-{number}") for number in range(60)]
    assert all(await asyncio.gather(*(store.ensure(each) for each in everybody)))
    assert not any(await asyncio.gather(*(store.ensure(each) for each in everybody)))
    for each in everybody[::20]:
        async with lent.store(each.user) as tenants:
            await tenants.verify(each)
    assert {each.schema for each in everybody} <= await store.roles()
    await asyncio.gather(*(store.drop(each) for each in everybody))
    assert not {each.user for each in everybody} & await store.users()


# Proof

PREFIXES = ("a", "a-b", "aa", "a.", "A", "a_")


async def test_ids_that_begin_with_each_other_are_proven_apart_side_by_side(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    for each in PREFIXES:
        await store.ensure(keyspace(each))
        await root.kv.put(f"/{each}/key", each)
    for each in PREFIXES:
        async with lent.store(each) as tenants:
            await tenants.verify(keyspace(each))
        async with await lent.wire(each) as wire:
            assert (await wire.kv.get(f"/{each}/key")).kvs[0].value == each.encode()
            for other in set(PREFIXES) - {each}:
                with pytest.raises(EtcdError, match="permission denied"):
                    await wire.kv.get(f"/{other}/key")
    assert [await store.count(each) for each in PREFIXES] == [1] * len(PREFIXES)


async def test_a_tenant_may_choose_the_name_under_which_the_provider_tries_stores(lent: Lent, store: EtcdStore) -> None:
    mine = keyspace("x.kamaji.clastix.io")
    await store.probe()
    await store.check_free(mine)
    await store.ensure(mine)
    async with lent.store(mine.user) as tenants:
        await tenants.verify(mine)


async def test_another_role_of_the_user_breaks_the_proof(lent: Lent, store: EtcdStore, root: Any) -> None:
    mine = keyspace("twofold")
    await store.ensure(mine)
    await root.auth.role_add("second")
    await root.auth.user_grant_role("twofold", "second")
    async with lent.store("twofold") as tenants:
        with pytest.raises(IsolationBroken, match="second"):
            await tenants.verify(mine)


async def test_a_certificate_that_says_root_is_no_tenants(lent: Lent, store: EtcdStore) -> None:
    await store.ensure(keyspace("masked"))
    with pytest.raises(IsolationBroken, match="only root may"):
        await store.verify(keyspace("masked"))


async def test_a_certificate_of_another_tenant_proves_nothing(lent: Lent, store: EtcdStore) -> None:
    await store.ensure(keyspace("one"))
    await store.ensure(keyspace("other"))
    async with lent.store("other") as tenants:
        with pytest.raises(StoreDenied, match="not let into keyspace one"):
            await tenants.verify(keyspace("one"))


@pytest.mark.parametrize("gone", ["role", "user", "permission"])
async def test_without_a_grant_the_proof_says_who_is_not_let_in(
    lent: Lent, store: EtcdStore, root: Any, gone: str
) -> None:
    mine = keyspace(f"bare-{gone}")
    await store.ensure(mine)
    match gone:
        case "role":
            await root.auth.role_delete(mine.schema)
        case "user":
            await root.auth.user_delete(mine.user)
        case _:
            own = range_of(mine.schema)
            await root.auth.role_revoke_permission(mine.schema, own.start, own.end)
    async with lent.store(mine.user) as tenants:
        with pytest.raises(StoreDenied, match=f"not let into keyspace {mine.schema}"):
            await tenants.verify(mine)


async def test_a_proof_reads_nothing_and_writes_nothing(lent: Lent, store: EtcdStore, root: Any) -> None:
    mine = keyspace("untouched")
    await store.ensure(mine)
    await root.kv.put(b"/untouched/key", b"value")
    before = (await root.kv.get(b"\0", b"\0", count_only=True)).header.revision
    async with lent.store("untouched") as tenants:
        await tenants.verify(mine)
    assert (await root.kv.get(b"\0", b"\0", count_only=True)).header.revision == before


# What a tenant's certificate can do

NEIGHBOURS, OWN = b"/victim/key", b"/intruder/key"
Ask = Callable[[Any, dict[str, int]], Awaitable[Any]]
"""(etcd's client as the tenant, ids of a neighbour's lease and of the member) → the answer."""


async def watched(wire: Any, *where: bytes, **options: Any) -> Any:
    """The first answer to a watch. etcd lets anybody open the stream, and says no to each watch on it."""
    async with asyncio.timeout(30):
        async for answer in wire.watch.watch(*where, **options):
            if answer.canceled:
                raise PermissionError(answer.cancel_reason)
            return answer


async def streamed(wire: Any) -> Any:
    return [each async for each in wire.maintenance.snapshot(timeout=5)]


def nested() -> RequestOp:
    inner = RequestOp(request_range=RangeRequest(key=NEIGHBOURS))
    return RequestOp(request_txn=TxnRequest(success=[RequestOp(request_txn=TxnRequest(success=[inner]))]))


def raised(wire: Any) -> Awaitable[Any]:
    alarm = AlarmRequest(action=AlarmRequest.ACTIVATE, memberID=0, alarm=int(AlarmType.NOSPACE))
    call: Awaitable[Any] = wire.maintenance._rpc(wire.maintenance._stub.Alarm, alarm, operation="Maintenance.Alarm")
    return call


get, put, delete = KVService.txn_op_get, KVService.txn_op_put, KVService.txn_op_delete
DENIED: dict[str, Ask] = {
    # a neighbour's keys
    "range": lambda w, _: w.kv.get(NEIGHBOURS),
    "range, stale": lambda w, _: w.kv.get(NEIGHBOURS, serializable=True),
    "range, of old": lambda w, _: w.kv.get(NEIGHBOURS, revision=2),
    "range over everything": lambda w, _: w.kv.get(b"\0", b"\0", keys_only=True),
    "range beyond its own": lambda w, _: w.kv.get(b"/intruder/", b"/victim0"),
    "count": lambda w, _: w.kv.get(b"/victim/", b"/victim0", count_only=True),
    "put": lambda w, _: w.kv.put(NEIGHBOURS, b""),
    "put and see what was there": lambda w, _: w.kv.put(NEIGHBOURS, b"", prev_kv=True),
    "put its own key with a neighbour's lease": lambda w, ids: w.kv.put(OWN, b"", lease=ids["lease"]),
    "delete": lambda w, _: w.kv.delete(NEIGHBOURS),
    "delete range": lambda w, _: w.kv.delete(b"/intruder/", b"/victim0"),
    "delete everything": lambda w, _: w.kv.delete(b"\0", b"\0", prev_kv=True),
    "txn that reads": lambda w, _: w.kv.txn([], [get(NEIGHBOURS)]),
    "txn that writes": lambda w, _: w.kv.txn([], [put(NEIGHBOURS, b"", prev_kv=True)]),
    "txn that deletes": lambda w, _: w.kv.txn([], [delete(NEIGHBOURS, prev_kv=True)]),
    "txn whose other branch reads": lambda w, _: w.kv.txn([], [get(OWN)], [get(NEIGHBOURS)]),
    "txn that compares": lambda w, _: w.kv.txn([KVService.txn_compare_value(NEIGHBOURS, b"v")], [get(OWN)]),
    "txn that compares a range": lambda w, _: w.kv.txn(
        [KVService.txn_compare_version(b"/victim/", 0, range_end=b"/victim0")], [get(OWN)]
    ),
    "nested txn": lambda w, _: w.kv.txn([], [nested()]),
    "watch": lambda w, _: watched(w, NEIGHBOURS),
    "watch of old, with what was there": lambda w, _: watched(w, NEIGHBOURS, start_revision=1, prev_kv=True),
    "watch over everything": lambda w, _: watched(w, b"\0", b"\0"),
    "watch beyond its own": lambda w, _: watched(w, b"/intruder/", b"/victim0"),
    # leases
    "list of leases": lambda w, _: w.lease.leases(),
    "keys of a neighbour's lease": lambda w, ids: w.lease.time_to_live(ids["lease"], keys=True),
    "end of a neighbour's lease": lambda w, ids: w.lease.revoke(ids["lease"]),
    # the cluster
    "compact": lambda w, _: w.kv.compact(2),
    "alarm on": lambda w, _: raised(w),
    "alarm off": lambda w, _: w.maintenance.alarm_deactivate(),
    "snapshot": lambda w, _: streamed(w),
    "defragment": lambda w, _: w.maintenance.defragment(),
    "hash": lambda w, _: w.maintenance.hash(),
    "hash of keys": lambda w, _: w.maintenance.hash_kv(),
    "another leader": lambda w, ids: w.maintenance.move_leader(ids["member"]),
    "downgrade": lambda w, _: w.maintenance.downgrade(0, "3.5.0"),
    "member added": lambda w, _: w.cluster.member_add(["http://127.0.0.1:1"]),
    "member removed": lambda w, ids: w.cluster.member_remove(ids["member"]),
    "member moved": lambda w, ids: w.cluster.member_update(ids["member"], ["http://127.0.0.1:1"]),
    "member promoted": lambda w, ids: w.cluster.member_promote(ids["member"]),
    # auth
    "auth off": lambda w, _: w.auth.auth_disable(),
    "list of users": lambda w, _: w.auth.user_list(),
    "a neighbour's roles": lambda w, _: w.auth.user_get("victim"),
    "another user": lambda w, _: w.auth.user_add("third", "password"),
    "a neighbour's end": lambda w, _: w.auth.user_delete("victim"),
    "a password of its own": lambda w, _: w.auth.user_change_password("intruder", "password"),
    "a neighbour's password": lambda w, _: w.auth.user_change_password("victim", "password"),
    "list of roles": lambda w, _: w.auth.role_list(),
    "what a neighbour may": lambda w, _: w.auth.role_get("victim"),
    "what root may": lambda w, _: w.auth.role_get("root"),
    "another role": lambda w, _: w.auth.role_add("third"),
    "end of a neighbour's role": lambda w, _: w.auth.role_delete("victim"),
    "a neighbour's role for itself": lambda w, _: w.auth.user_grant_role("intruder", "victim"),
    "root's role for itself": lambda w, _: w.auth.user_grant_role("intruder", "root"),
    "a neighbour's role taken away": lambda w, _: w.auth.user_revoke_role("victim", "victim"),
    "every key for itself": lambda w, _: w.auth.role_grant_permission("intruder", b"\0", b"\0"),
    "a neighbour's keys taken away": lambda w, _: w.auth.role_revoke_permission("victim", b"/victim/", b"/victim0"),
}
# etcd 3.6 lets every user that it knows: grant, keep alive and end leases of its own, and as many as it likes; ask how long any
# lease lasts whose id it knows; open a watch stream; see the alarms, the members with their addresses, and Status (version,
# size of the database, raft's progress, so also how busy all tenants together are); see its own user and role. None of
# that reaches another's keys. Leases cost a member's memory: who may not be trusted with that gets a store of his own.
ALLOWED: dict[str, Ask] = {
    "a lease": lambda w, _: w.lease.grant(60),
    "how long a lease lasts": lambda w, ids: w.lease.time_to_live(ids["lease"]),
    "alarms": lambda w, _: w.maintenance.alarms(),
    "members": lambda w, _: w.cluster.member_list(),
    "status": lambda w, _: w.maintenance.status(),
    "its own roles": lambda w, _: w.auth.user_get("intruder"),
    "what it may": lambda w, _: w.auth.role_get("intruder"),
}


@pytest.fixture
async def intruder(lent: Lent, store: EtcdStore, root: Any) -> AsyncIterator[tuple[Any, dict[str, int]]]:
    """etcd's client as a tenant, beside one that has a key with a lease."""
    for each in ("victim", "intruder"):
        await store.ensure(keyspace(each))
    lease = (await root.lease.grant(600)).ID
    await root.kv.put(NEIGHBOURS, b"value", lease=lease)
    member = (await root.cluster.member_list()).members[0].ID
    async with await lent.wire("intruder") as wire:
        yield wire, {"lease": lease, "member": member}


async def test_a_tenants_certificate_reaches_nothing_of_a_neighbour_and_nothing_of_the_cluster(
    intruder: tuple[Any, dict[str, int]], root: Any
) -> None:
    wire, ids = intruder
    before, answered = await revision(root), []
    for what, ask in DENIED.items():
        try:
            await ask(wire, ids)
        except (EtcdError, PermissionError) as error:
            assert "permission denied" in str(error), what
        else:
            answered.append(what)
    assert answered == []
    assert (await root.kv.get(NEIGHBOURS)).kvs[0].value == b"value"
    assert await revision(root) == before


async def test_what_etcd_lets_every_user_do_reaches_no_key(intruder: tuple[Any, dict[str, int]]) -> None:
    wire, ids = intruder
    for what, ask in ALLOWED.items():
        assert NEIGHBOURS not in (await ask(wire, ids)).SerializeToString(), what


async def test_a_certificate_of_nobody_that_the_authority_signed_is_refused_all_that_a_tenant_is_and_no_key_is_told(
    intruder: tuple[Any, dict[str, int]], lent: Lent, root: Any
) -> None:
    """etcd asks some things of a certificate only, not whether its name is a user: what it tells then is no tenant's."""
    _, ids = intruder
    before, answered = await revision(root), []
    async with await lent.wire("nobody") as wire:
        for what, ask in {**DENIED, **ALLOWED}.items():
            with suppress(EtcdError, PermissionError, grpc.aio.AioRpcError):
                answer = await ask(wire, ids)
                assert what in ALLOWED and NEIGHBOURS not in answer.SerializeToString(), what
                answered.append(what)
    assert set(answered) <= ALLOWED.keys() - {"its own roles", "what it may"}
    assert (await root.kv.get(NEIGHBOURS)).kvs[0].value == b"value"
    assert await revision(root) == before


async def test_nobody_logs_in_by_password(intruder: tuple[Any, dict[str, int]]) -> None:
    wire, _ = intruder
    for user in ("root", "victim"):
        with pytest.raises(grpc.aio.AioRpcError, match="no password user"):
            await wire.auth.authenticate(user, "")


# Erasure


async def stored(lent: Lent, store: EtcdStore, root: Any, *schemas: str) -> None:
    for each in schemas:
        await store.ensure(keyspace(each))
        for number in range(3):
            await root.kv.put(f"/{each}/{number}", b"value")


async def test_a_dropped_tenant_leaves_nothing_and_its_neighbours_everything(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    await stored(lent, store, root, "drop", "drop-a", "drop.", "drop0")
    assert (await store.drop(keyspace("drop"))).keys == 3
    assert "drop" not in await store.users() | await store.roles()
    assert [await store.count(each) for each in ("drop", "drop-a", "drop.", "drop0")] == [0, 3, 3, 3]
    assert (await store.drop(keyspace("drop"))).keys == 0


async def test_a_certificate_that_outlives_its_tenant_opens_nothing(lent: Lent, store: EtcdStore, root: Any) -> None:
    await stored(lent, store, root, "ghost")
    async with await lent.wire("ghost") as wire:
        await wire.kv.get(b"/ghost/0")
        await store.drop(keyspace("ghost"))
        with pytest.raises((EtcdError, grpc.aio.AioRpcError)):
            await wire.kv.put(b"/ghost/0", b"again")
    assert await store.count("ghost") == 0


async def test_an_erasure_that_is_cut_off_at_any_write_is_ended_by_the_next(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    mine = keyspace("cut-off")
    for writes in range(20):
        await stored(lent, store, root, mine.schema, "cut-off-not")
        with lasting(writes) as power, suppress(PowerCut):
            await store.drop(mine)
        await store.drop(mine)
        assert mine.schema not in await store.users() | await store.roles()
        assert await store.count(mine.schema) == 0
        assert await store.count("cut-off-not") == 3
        if not power.cut:
            break
    erased = ["KV.DeleteRange", "KV.DeleteRange"]  # the keys, and the note of a copy beside them
    assert power.sent == ["Auth.UserRevokeRole", *erased, "Auth.RoleDelete", "Auth.UserDelete"]


async def test_a_tenant_that_may_only_read_is_proven_to_read_its_own_and_to_write_nothing(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    mine = keyspace("read-only")
    await store.ensure(mine)
    await root.kv.put("/read-only/a", b"a")
    async with lent.store(mine.user) as tenants:
        await tenants.verify(mine)
        with pytest.raises(IsolationBroken, match="other things than to read"):
            await tenants.verify(mine, writable=False)
        assert await store.ensure(mine, writable=False) is True
        assert await store.ensure(mine, writable=False) is False
        await tenants.verify(mine, writable=False)
        with pytest.raises(IsolationBroken, match="read and write"):
            await tenants.verify(mine)
        assert (await tenants.wire.kv.get("/read-only/a")).count == 1
        with pytest.raises(EtcdPermissionDeniedError):
            await tenants.wire.kv.put("/read-only/a", b"b")
    await store.drop(mine)


async def test_a_grant_that_is_cut_off_at_any_write_is_ended_by_the_next(lent: Lent, store: EtcdStore) -> None:
    for writes in range(20):
        mine = keyspace(f"begun-{writes}")
        with lasting(writes) as power, suppress(PowerCut):
            await store.ensure(mine)
        await store.ensure(mine)
        async with lent.store(mine.user) as tenants:
            await tenants.verify(mine)
        if not power.cut:
            break
    assert power.sent == ["Auth.RoleAdd", "Auth.RoleGrantPermission", "Auth.UserAdd", "Auth.UserGrantRole"]


# Whose it is


async def test_a_keyspace_of_another_user_is_taken_and_neither_given_nor_erased(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    await stored(lent, store, root, "theirs")
    thief = keyspace("theirs", "thief")
    for ask in (store.check_free, store.ensure, store.drop):
        with pytest.raises(Taken, match="belongs to another user"):
            await ask(thief)
    assert await store.count("theirs") == 3
    assert "thief" not in await store.users()
    async with lent.store("theirs") as tenants:
        await tenants.verify(keyspace("theirs"))


async def test_a_user_of_another_keyspace_is_taken_and_keeps_its_own(lent: Lent, store: EtcdStore, root: Any) -> None:
    await stored(lent, store, root, "settled")
    thief = keyspace("elsewhere", "settled")
    for ask in (store.check_free, store.ensure, store.drop):
        with pytest.raises(Taken, match="role of another keyspace"):
            await ask(thief)
    assert "elsewhere" not in await store.roles()
    async with lent.store("settled") as tenants:
        await tenants.verify(keyspace("settled"))


async def test_keys_that_are_no_tenants_cannot_be_claimed(store: EtcdStore, root: Any) -> None:
    await root.kv.put(b"/registry/secrets/default/one", b"value")
    with pytest.raises(Taken, match="holds 1 keys of somebody else"):
        await store.check_free(keyspace("registry"))
    await store.check_free(keyspace("registr"))


async def test_a_tenant_that_comes_back_with_both_its_names_finds_its_keys(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    await stored(lent, store, root, "returned")
    await store.check_free(keyspace("returned"))
    assert await store.ensure(keyspace("returned")) is False


@pytest.mark.parametrize(("schema", "user"), [("root", "tenant"), ("tenant", "root")])
async def test_root_is_nobodys_name(store: EtcdStore, schema: str, user: str) -> None:
    for ask in (store.check_free, store.ensure, store.drop):
        with pytest.raises(Taken, match="etcd's own"):
            await ask(keyspace(schema, user))


async def test_a_keyspace_is_measured_page_by_page_and_its_neighbour_does_not_count(
    store: EtcdStore, root: Any
) -> None:
    mine, theirs = Keyspace(schema="measured", user="measured"), Keyspace(schema="measured0", user="measured0")
    assert await store.measure(mine) == Usage(bytes=0, keys=0)
    for number in range(600):
        await root.kv.put(f"/measured/{number:04}", b"v" * 10)
    await root.kv.put("/measured0/x", b"other")
    assert await store.measure(mine) == Usage(bytes=600 * (len("/measured/0000") + 10), keys=600)
    assert (await store.measure(theirs)).keys == 1


async def test_a_keyspace_of_large_values_is_measured_although_a_page_of_them_is_more_than_grpc_takes_in(
    store: EtcdStore, root: Any
) -> None:
    large, many = 12, 300
    for number in range(large):
        await root.kv.put(f"/bulky/a{number:04}", bytes(MI))
    for number in range(many):
        await root.kv.put(f"/bulky/b{number:04}", b"v" * 10)
    with pytest.raises(grpc.aio.AioRpcError, match=paging.TOO_LARGE):
        await root.kv.get("/bulky/", "/bulky0", limit=paging.PAGE)
    size = large * (len("/bulky/a0000") + MI) + many * (len("/bulky/b0000") + 10)
    assert await store.measure(keyspace("bulky")) == Usage(bytes=size, keys=large + many)
    await root.kv.delete("/bulky/", "/bulky0")


async def test_keys_are_summed_up_by_their_first_segment_whoever_put_them(store: EtcdStore, root: Any) -> None:
    for each in (b"loose", b"/deep/er/key", b"//empty", b"/deep0", b"zz/last"):
        await root.kv.put(each, b"")
    async with asyncio.timeout(60):
        assert {"deep", "", "deep0"} <= await store.keyspaces()


# Bad days


def words(*said: str) -> str:
    return ".*".join(said)


async def test_a_store_of_another_authority_is_not_trusted(lent: Lent) -> None:
    stranger = EtcdStore([lent.etcd.endpoint], Authority().certificate, lent.authority.client("root"))
    async with stranger:
        with pytest.raises(StoreUntrusted, match=words(lent.etcd.endpoint, "certificateAuthority did not sign")):
            await stranger.health()


async def test_a_client_certificate_of_another_authority_is_not_taken(lent: Lent) -> None:
    stranger = EtcdStore([lent.etcd.endpoint], lent.authority.certificate, Authority().client("root"))
    async with stranger:
        with pytest.raises(StoreUntrusted, match=words(lent.etcd.endpoint, "does not take the client certificate")):
            await stranger.ensure(keyspace("x"))


async def test_what_is_no_certificate_is_said_to_be_none(lent: Lent) -> None:
    broken = EtcdStore([lent.etcd.endpoint], b"no PEM", lent.authority.client("root"))
    async with broken:
        with pytest.raises(StoreUntrusted, match="no PEM"):
            await broken.health()


async def test_a_dead_endpoint_is_named(lent: Lent) -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    async with lent.store("root", endpoint) as dead:
        with pytest.raises(StoreUnreachable, match=words("nobody answers at", endpoint)):
            await dead.ensure(keyspace("x"))


async def test_an_endpoint_that_does_not_resolve_is_named(lent: Lent) -> None:
    with pytest.raises(StoreUnreachable, match=words("nowhere.invalid:2379", "does not resolve")):
        async with lent.store("root", "nowhere.invalid:2379"):
            pass


async def test_one_endpoint_that_answers_is_enough(lent: Lent, store: EtcdStore) -> None:
    for absent in (f"127.0.0.1:{free_port()}", "nowhere.invalid:2379"):
        async with lent.store("root", lent.etcd.endpoint, absent) as partly:
            assert (await partly.health()).auth_enabled


@asynccontextmanager
async def members(folder: Path, *addresses: str) -> AsyncIterator[tuple[Authority, list[Etcd]]]:
    """Etcds at these addresses, each with a certificate for its own address and no other, auth on."""
    authority, running = Authority(), list[Etcd]()
    try:
        for each in addresses:
            certified = frozenset({each})
            etcd = Etcd(folder / each.replace(":", "-"), authority=authority, addresses=certified, address=each)
            running.append(etcd.start())
            async with Lent(etcd, authority).store() as store:
                await store.enable_auth()
        yield authority, running
    finally:
        for etcd in running:
            etcd.stop()


async def test_a_store_at_an_ipv6_address_is_granted_proven_and_taken_back(tmp_path: Path) -> None:
    mine = keyspace("six")
    async with members(tmp_path, "::1") as (authority, [etcd]):
        assert etcd.endpoint.startswith("[::1]:")
        lent = Lent(etcd, authority)
        async with lent.store() as store:
            await store.probe()
            assert await store.ensure(mine)
            async with lent.store("six") as tenants:
                await tenants.verify(mine)
            await store.drop(mine)
        stranger = Lent(etcd, Authority())
        async with stranger.store() as store:
            with pytest.raises(
                StoreUntrusted, match=words(re.escape(etcd.endpoint), "certificateAuthority did not sign")
            ):
                await store.health()


@pytest.mark.parametrize("second", ["127.0.0.2", "::1"], ids=["of one family", "of both families"])
async def test_members_whose_certificates_name_themselves_alone_are_each_enough(tmp_path: Path, second: str) -> None:
    async with members(tmp_path, "127.0.0.1", second) as (authority, both):
        endpoints = [each.endpoint for each in both]
        for down, up in ((both[0], both[1]), (both[1], both[0])):
            down.stop()
            async with Lent(up, authority).store("root", *endpoints) as store:
                assert (await store.health()).auth_enabled
            down.start()
        async with Lent(both[0], authority).store("root", *endpoints) as store:
            assert (await store.health()).auth_enabled
        for each in both:
            each.stop()
        async with Lent(both[0], authority).store("root", *endpoints) as store:
            with pytest.raises(StoreUnreachable, match=words("nobody answers at", *map(re.escape, endpoints))):
                await store.health()


async def test_a_user_that_is_not_root_is_denied(lent: Lent, store: EtcdStore) -> None:
    await store.ensure(keyspace("lowly"))
    for user in ("lowly", "nobody-there"):
        async with lent.store(user) as lowly:
            for ask in (lowly.tried, lowly.probe, lowly.users):
                with pytest.raises(StoreDenied, match="has to be root"):
                    await ask()


async def test_with_auth_off_the_proof_says_so(tmp_path: Path) -> None:
    authority = Authority()
    etcd = Etcd(tmp_path, authority=authority).start()
    open_to_all = Lent(etcd, authority)
    try:
        async with open_to_all.store() as store:
            assert (await store.health()).auth_enabled is False
            await store.ensure(keyspace("exposed"))
        async with open_to_all.store("exposed") as tenants:
            with pytest.raises(IsolationBroken, match="auth off"):
                await tenants.verify(keyspace("exposed"))
    finally:
        etcd.stop()


async def test_a_full_store_says_so_and_still_lets_tenants_go(tmp_path: Path) -> None:
    authority = Authority()
    etcd = Etcd(tmp_path, authority=authority, quota=1).start()  # every database is larger
    full = Lent(etcd, authority)
    try:
        async with full.store() as store, await full.wire() as root:
            await store.enable_auth()
            await store.ensure(keyspace("resident"))
            with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
                await root.kv.put(b"/resident/key", b"value")
            assert (await store.health()).alarms == {"NOSPACE"}
            with pytest.raises(StoreError, match=words("database is full", "quota-backend-bytes", "disarm")):
                await store.probe()
            async with full.store("resident") as tenants:
                await tenants.verify(keyspace("resident"))
            await store.drop(keyspace("resident"))
            assert "resident" not in await store.users() | await store.roles()
    finally:
        etcd.stop()


async def test_an_etcd_that_is_killed_in_the_midst_loses_and_doubles_nothing(
    lent: Lent, store: EtcdStore, root: Any
) -> None:
    everybody = [keyspace(f"shaken-{number}") for number in range(30)]
    turns = asyncio.Semaphore(5)  # so that some have begun, and some have not

    async def let_in(each: Keyspace) -> bool:
        try:
            async with turns, lent.store() as own:
                return await own.ensure(each)
        except StoreUnreachable:
            return False

    granting = [asyncio.create_task(let_in(each)) for each in everybody]
    while not any(each.done() for each in granting):
        await asyncio.sleep(0)
    lent.etcd.stop()
    before = await asyncio.gather(*granting)
    with pytest.raises(StoreUnreachable, match="nobody answers"):
        async with lent.store() as own:
            await own.health()
    lent.etcd.start()

    assert any(before)
    assert not all(before)
    for each in everybody:
        async with lent.store() as own:
            await own.ensure(each)
            assert await own.ensure(each) is False
        async with lent.store(each.user) as tenants:
            await tenants.verify(each)


async def test_a_connection_outlives_a_restart(lent: Lent, store: EtcdStore) -> None:
    await store.health()
    lent.etcd.stop()
    with pytest.raises(StoreUnreachable):
        await store.health()
    lent.etcd.start()
    async with asyncio.timeout(60):
        while True:
            try:
                await store.ensure(keyspace("patient"))
                break
            except StoreUnreachable:
                await asyncio.sleep(0.2)
