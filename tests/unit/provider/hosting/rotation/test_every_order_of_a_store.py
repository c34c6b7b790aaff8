"""Whatever happens to a store in whatever order, the provider killed between any two writes: none is cut off, and it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provider.hosting.rotation import stores
from tests.unit.provider.hosting.rotation.store_planes import StorePlane, Tenant, dropped, wrongs

WRITES = st.integers(0, 12)
WHICH = st.integers(0, 8)
LEAVES = ("default-etcd-server", "default-etcd-peer", "default-etcd-root-client")
LONG = 60


class Store(RuleBasedStateMachine):
    """Requests, crashes, kubelets that look late, tenants that follow late, new tenants, lost leaves, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = StorePlane()
        self.asked = 0
        self.signers: dict[str, set[bytes]] = {each.request: set() for each in stores.RINGS}

    @initialize(members=st.sampled_from([1, 3]), ring=st.sampled_from(stores.RINGS))
    def begin(self, members: int, ring: Any) -> None:
        self.plane = StorePlane(members=members).born()
        self.ask(ring)

    @rule(ring=st.sampled_from(stores.RINGS))
    def ask(self, ring: Any) -> None:
        self.asked += 1
        self.plane.said[ring.request] = f"turn {self.asked}"

    @rule(ring=st.sampled_from(stores.RINGS))
    def take_back(self, ring: Any) -> None:
        self.plane.said.pop(ring.request, None)

    @rule()
    def passes(self) -> None:
        self.plane.passed()

    @rule(writes=WRITES)
    def dies(self, writes: int) -> None:
        self.plane.passed(crash_after=writes)

    @rule()
    def members_start(self) -> None:
        self.plane.settle()

    @rule(which=WHICH)
    def a_kubelet_looks(self, which: int) -> None:
        self.plane.kubelets_look(sorted(self.plane.mates)[which % len(self.plane.mates)])

    @rule(which=WHICH)
    def a_tenant_is_looked_at(self, which: int) -> None:
        self.plane.looked(self._tenant(which))

    @rule(which=WHICH)
    def a_tenant_rolls(self, which: int) -> None:
        self.plane.roll(self._tenant(which))

    @rule(which=WHICH)
    def a_tenants_kubelet_looks(self, which: int) -> None:
        self.plane.kubelet_looks(self._tenant(which))

    @rule()
    def a_tenant_is_born(self) -> None:
        if len(self.plane.tenants) < 4:
            new = Tenant(f"t{len(self.plane.tenants)}")
            self.plane.looked(new)
            self.plane.roll(new)
            self.plane.tenants.append(new)

    @rule(secret=st.sampled_from(LEAVES), key=st.sampled_from(["tls.crt", "tls.key", "ca.crt", ""]))
    def a_leaf_is_edited_or_lost(self, secret: str, key: str) -> None:
        """And made anew by the next pass, before anybody looks."""
        where = ("Secret", "kamaji-system", secret)
        stands = self.plane.objects.pop(where)
        if key:
            self.plane.objects[where] = {**stands, "data": {**stands["data"], key: "anVuaw=="}}
        self.plane.passed()

    @rule(times=st.integers(4, 8), kubelets=st.booleans())
    def the_pool_works_on_and_others_do_not(self, times: int, kubelets: bool) -> None:
        for _ in range(times):
            self.passes()
            self.members_start()
            for name in self.plane.mates if kubelets else ():
                self.plane.kubelets_look(name)
            self.everybody_reaches_everybody()

    @rule(times=st.integers(1, 8))
    def all_work_on_but_kubelets_of_members(self, times: int) -> None:
        for _ in range(times):
            self.passes()
            self.members_start()
            for each in self.plane.tenants:
                self.plane.looked(each)
                self.plane.roll(each)
            self.everybody_reaches_everybody()

    @rule()
    def all_do_their_work(self) -> None:
        self.plane.round()

    @rule(days=st.integers(1, 80))
    def time_goes_by(self, days: int) -> None:
        for _ in range(0, days, 20):
            self.plane.now += timedelta(days=20)
            self.plane.round()

    @invariant()
    def everybody_reaches_everybody(self) -> None:
        assert list(wrongs(self.plane)) == []

    @invariant()
    def nothing_is_of_one_that_was_dropped(self) -> None:
        if self.plane.mates:
            assert list(dropped(self.plane)) == []

    @invariant()
    def the_quorum_stays(self) -> None:
        """Of three one at most is away, whatever is done."""
        if len(self.plane.mates) == 3:
            assert len(self.plane.running()) >= 2

    @invariant()
    def nothing_rotates_without_a_cause(self) -> None:
        if self.plane.mates:
            for ring in stores.RINGS:
                self.signers[ring.request].add(self.plane.keys(ring).signer.certificate)
        assert sum(map(len, self.signers.values())) <= len(stores.RINGS) + self.asked

    def teardown(self) -> None:
        """Left alone, every rotation ends, and then nothing is written any more."""
        if not self.plane.mates:
            return
        for _ in range(LONG):
            self.plane.round()
            if not self.plane.rotating and self.plane.step is None and self.plane.round() == 0:
                break
        assert not self.plane.rotating, self.plane.told()
        assert self.plane.round() == 0

    def _tenant(self, which: int) -> Tenant:
        return self.plane.tenants[which % len(self.plane.tenants)]


Store.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_nobody_is_cut_off_from_a_store_by_a_rotation = Store.TestCase
