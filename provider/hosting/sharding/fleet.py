"""The fleet as placement sees it: pools, DataStores and tenants; which pool places a tenant, and which stores a pool has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from provider.api import names
from provider.api.datastorepool import DataStorePool
from provider.api.meta import LabelSelector
from provider.api.verdict import Invalid
from provider.hosting.sharding.room import Resident, Room, Stock
from provider.hosting.storeview import stores_of
from provider.manifest import Manifest, meta, quantity

HEAVIEST = 100


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All that is asked to place tenants, as it was at one moment."""

    pools: tuple[DataStorePool, ...] = ()
    stores: tuple[Manifest, ...] = ()  # DataStores
    tenants: tuple[Manifest, ...] = ()  # TenantControlPlanes
    default: str = ""  # name of the DataStore for tenants that name none
    namespace: str = ""  # whose tenants are ours to place; empty: all
    quotas: Mapping[str, int] = field(
        default_factory=dict
    )  # bytes that etcd may keep in a store that a pool makes, by pool

    @cached_property
    def residents(self) -> Mapping[str, list[Resident]]:
        """What was measured of each tenant some of whose state lies in a store, by its name."""
        found: dict[str, list[Resident]] = defaultdict(list)
        for tenant in self.tenants:
            for store in stores_of(tenant):
                found[store].append(resident(tenant, store))
        return found

    def unplaced(self) -> list[Manifest]:
        """Tenants that wait for a pool to place them, the oldest first."""
        ours = [each for each in self.tenants if self.namespace in ("", each["metadata"].get("namespace"))]
        found = [each for each in ours if is_unplaced(each) and self.pool_of(each) is not None]
        return sorted(found, key=lambda each: (str(each["metadata"].get("creationTimestamp", "")), key_of(each)))

    def pool_of(self, tenant: Manifest) -> DataStorePool | None:
        """Who places a tenant that names no DataStore: the first pool by name that selects it, else the default one."""
        labels, default = meta.labels_of(tenant), None
        for pool in sorted(self.pools, key=lambda each: each.name):
            if pool.deleting:
                continue
            if pool.spec.tenant_selector is None:
                default = pool if self._is_default(pool) else default
            elif _matches(pool.spec.tenant_selector, labels):
                return pool
        return default

    def members(self, pool: DataStorePool) -> list[Manifest]:
        """The pool's stores by name: those it has made, and those of others that it selects."""
        found = [each for each in self.stores if is_made(pool, each) or _is_brought(pool, each)]
        return sorted(found, key=lambda each: str(each["metadata"]["name"]))

    def rooms(self, pool: DataStorePool) -> tuple[Room, ...]:
        """What is in each store of the pool and what still fits."""
        sizes = {each.name: each.used_bytes for each in pool.status.stores}
        found = []
        for store in self.members(pool):
            name, made = str(store["metadata"]["name"]), is_made(pool, store)
            empty = self.fresh(pool, name, made=made)
            residents = self.residents[name]
            room = replace(
                empty,
                hindrance=_hindrance(store),
                weight=_weight(store),
                tenants=len(residents),
                bytes=_filled(empty.bytes, [each.bytes for each in residents], sizes.get(name, 0)),
                writes=_filled(empty.writes, [each.writes for each in residents]),
            )
            found.append(room)
        return tuple(found)

    def fresh(self, pool: DataStorePool, name: str = "", *, made: bool = True) -> Room:
        """A store of the pool with nothing in it."""
        asked, quota = pool.spec.placement, self.quotas.get(pool.name) if made else None
        limits = [each for each in (quantity.whole(asked.max_bytes) if asked.max_bytes else None, quota) if each]
        return Room(
            name=name,
            made=made,
            max_tenants=asked.max_tenants,
            bytes=Stock(each=quantity.whole(asked.bytes_per_tenant), most=min(limits, default=None)),
            writes=Stock(each=asked.writes_per_tenant, most=asked.max_writes_per_minute),
        )

    def _is_default(self, pool: DataStorePool) -> bool:
        """A DataStore that has the default name and is nobody's pool's is upstream's rule, and goes before the pool."""
        if pool.name != self.default:
            return False
        store = next((each for each in self.stores if each["metadata"]["name"] == pool.name), None)
        return store is None or is_made(pool, store)


def is_unplaced(tenant: Manifest) -> bool:
    """It names no store, none is recorded for it, and nobody has deleted it."""
    named = (tenant.get("spec") or {}).get("dataStore")
    recorded = ((tenant.get("status") or {}).get("storage") or {}).get("dataStoreName")
    deleting = tenant["metadata"].get("deletionTimestamp")
    still = {names.ANNOTATION_PAUSED, names.ANNOTATION_DELETE_FOR_MOVE} & meta.annotations_of(tenant).keys()
    return not (named or recorded or deleting or still)


def is_made(pool: DataStorePool, store: Manifest) -> bool:
    """Whether the pool has made this DataStore."""
    return any(each.get("uid") == pool.uid for each in store["metadata"].get("ownerReferences") or ())


def key_of(tenant: Manifest) -> tuple[str, str]:
    """(namespace, name)."""
    return str(tenant["metadata"].get("namespace", "")), str(tenant["metadata"]["name"])


def resident(tenant: Manifest, store: str) -> Resident:
    """What is told of a tenant is of its own store; what its overrides take up elsewhere is not."""
    storage = (tenant.get("status") or {}).get("storage") or {}
    usage = storage.get("usage") or {}
    if storage.get("dataStoreName") != store:
        return Resident()
    return Resident(bytes=usage.get("bytes"), writes=usage.get("writesPerMinute"))


def _filled(empty: Stock, found: Sequence[int | None], whole: int = 0) -> Stock:
    """With what each tenant takes up, and the rest of what is set aside for it. `whole`: what the store itself measured."""
    known = [each or 0 for each in found]
    return replace(empty, measured=max(whole, sum(known)), promised=sum(max(0, empty.each - each) for each in known))


def _is_brought(pool: DataStorePool, store: Manifest) -> bool:
    """Selected, of the pool's driver, and of no other pool."""
    selector = pool.spec.store_selector
    if selector is None or names.LABEL_POOL in meta.labels_of(store):
        return False
    return store["spec"].get("driver") == pool.spec.driver and _matches(selector, meta.labels_of(store))


def _matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """A selector that means nothing selects nobody; the pool's own condition says what is wrong with it."""
    try:
        return selector.matches(labels)
    except Invalid:
        return False


def _hindrance(store: Manifest) -> str:
    """Why nobody is placed in a store, whatever is in it; empty when one may be."""
    if store["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    if not (store.get("status") or {}).get("ready"):
        return "it is not ready"
    if drained(store) == "true":
        return f"it is emptied: its annotation {names.ANNOTATION_DRAIN} says so"
    if _weight(store) == 0:
        return f"its annotation {names.ANNOTATION_WEIGHT} is 0"
    return ""


def drained(store: Manifest) -> str:
    """`true` of a store whose tenants are moved elsewhere, `plan` of one of which that is only told; else empty."""
    said = meta.annotations_of(store).get(names.ANNOTATION_DRAIN, "")
    return said if said in ("true", "plan") else ""


def _weight(store: Manifest) -> int:
    """0 to 100; 1 where nothing or nonsense is said. A store that is emptied is no room for anybody."""
    if drained(store) == "true":
        return 0
    said = meta.annotations_of(store).get(names.ANNOTATION_WEIGHT, "1")
    return min(int(said), HEAVIEST) if said.isascii() and said.isdigit() else 1
