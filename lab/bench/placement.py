"""What it costs us to place 1,000 tenants over 10 stores at once, without the requests that record it. Also by itself:
`python -m lab.bench.placement`. The goal is under a second.
"""

from __future__ import annotations

import time

from provider.api import kinds
from provider.api.datastorepool import DataStorePool
from provider.hosting.sharding import plan
from provider.hosting.sharding.fleet import Fleet
from provider.manifest import Manifest, meta

TENANTS, STORES = 1000, 10
LIMIT = 1.0  # seconds
WHAT = f"our own time to place {TENANTS} tenants over {STORES} stores"


def seconds() -> float:
    """One measurement, in seconds of our process, whoever else is busy; all have a place, or it counts for nothing."""
    fleet = _fleet()
    start = time.process_time()
    found = plan.of(fleet)
    took = time.process_time() - start
    assert len(found) == TENANTS and all(each.store for each in found)
    return took


def _fleet() -> Fleet:
    spec = {"minStores": STORES, "placement": {"maxTenants": TENANTS // STORES}}
    raw = meta.new(kinds.DATA_STORE_POOL, "default", spec=spec)
    raw["metadata"]["uid"] = "the-pool"
    return Fleet(
        pools=(DataStorePool.parse(raw),),
        stores=tuple(_store(number) for number in range(STORES)),
        tenants=tuple(_tenant(number) for number in range(TENANTS)),
        default="default",
        quotas={"default": 8 * 2**30},
    )


def _store(number: int) -> Manifest:
    made = meta.new(kinds.DATA_STORE, f"default-{number}", spec={"driver": "etcd"}, status={"ready": True})
    made["metadata"]["ownerReferences"] = [{"uid": "the-pool"}]
    return made


def _tenant(number: int) -> Manifest:
    return meta.new(kinds.TENANT_CONTROL_PLANE, f"t{number}", "default", spec={})


if __name__ == "__main__":
    print(f"{WHAT}: {min(seconds() for _ in range(5)):.3f} s")
