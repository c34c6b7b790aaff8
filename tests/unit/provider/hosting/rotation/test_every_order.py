"""Whatever happens in whatever order, with the provider killed between any two writes: nobody is ever shut out, and it ends.

Two machines. In the first somebody asks for rotations: then nobody notices anything, ever, whose own certificate is in time. In
the second Secrets that sign are deleted as well: then a former key is lost, and what is promised is less (decision 0024).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography import x509 as parsing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provider.hosting.rotation.keyring import RINGS
from provider.manifest import pem, privatekey
from tests.unit.provider.hosting.rotation.planes import Person, Plane, accepts, dropped, wrongs

RENEWED_AFTER = timedelta(days=250)  # of a year; so kubelets do
WRITES = st.integers(0, 12)


class Rotations(RuleBasedStateMachine):
    """Requests, crashes, pods that come and go, nodes that join and renew, people with copies of kubeconfigs, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = Plane()
        self.people: list[Person] = []
        self.tokens: list[tuple[Any, bytes]] = []  # when, and the public key they were signed with
        self.asked = 0
        self.deleted = 0
        self.signers: dict[str, set[bytes]] = {each.component: set() for each in RINGS}

    @initialize()
    def begin(self) -> None:
        self.plane.born()
        self.plane.join()
        self.people.append(self.plane.copied())

    @rule(ring=st.sampled_from(RINGS))
    def ask(self, ring: Any) -> None:
        self.asked += 1
        self.plane.annotations[ring.request] = f"turn {self.asked}"

    @rule(ring=st.sampled_from(RINGS))
    def take_back(self, ring: Any) -> None:
        self.plane.annotations.pop(ring.request, None)

    @rule()
    def passes(self) -> None:
        self.plane.passed()

    @rule(writes=WRITES)
    def dies(self, writes: int) -> None:
        self.plane.passed(crash_after=writes)

    @precondition(lambda self: len(self.plane.pods) < 3)
    @rule()
    def pod_starts(self) -> None:
        self.plane.start()

    @rule()
    def pod_ends(self) -> None:
        self.plane.end()

    @rule()
    def rolls(self) -> None:
        self.plane.roll()

    @rule(choice=st.integers(0, 8))
    def kubelet_looks(self, choice: int) -> None:
        """A pod's files become what its volumes name by now."""
        assert self.plane.mount(self.plane.pods[choice % len(self.plane.pods)]), (
            "what a pod was started with is still there"
        )

    @precondition(lambda self: len(self.plane.nodes) < 3)
    @rule()
    def node_joins(self) -> None:
        self.plane.join()

    @rule(choice=st.integers(0, 8))
    def node_renews(self, choice: int) -> None:
        self._renew(choice % len(self.plane.nodes), choice % len(self.plane.pods))

    @rule()
    def person_copies(self) -> None:
        self.people = [*self.people[-2:], self.plane.copied()]

    @rule(choice=st.integers(0, 8))
    def token_is_made(self, choice: int) -> None:
        pod = self.plane.pods[choice % len(self.plane.pods)]
        self.tokens.append((self.plane.now, privatekey.public_half(pod.files["sa.key"])))

    @rule(days=st.integers(1, 60))
    def time_passes(self, days: int) -> None:
        """Kubelets renew in time, requests are forgotten after an hour, and a provider that is alive has passes meanwhile."""
        self.plane.passed()
        self.plane.roll()
        self.plane.requests.clear()
        self.plane.now += timedelta(days=days)
        self.plane.passed()
        self.plane.roll()
        for number, node in enumerate(self.plane.nodes):
            if self.plane.now - _made(node.client.certificate) > RENEWED_AFTER:
                self._renew(number, 0)

    @invariant()
    def everybody_reaches_everybody(self) -> None:
        if self.plane.pods:
            in_time = [each for each in self.people if not _expired(each, self.plane)]
            self.people = [each for each in in_time if self._still_trusted(each)]
            assert list(wrongs(self.plane, self.people)) == []

    @invariant()
    def no_token_fails(self) -> None:
        now = self.plane.now
        self.tokens = [each for each in self.tokens if now < each[0] + timedelta(days=365)]
        for pod in self.plane.pods:
            for _, public in self.tokens:
                assert public in pem.blocks(pod.files["sa.pub"])

    @invariant()
    def nothing_is_of_one_that_was_dropped(self) -> None:
        """Between any two writes: what stands in a Secret was signed by somebody who is trusted."""
        if self.plane.pods:
            assert [each.title for each in dropped(self.plane)] == []

    @invariant()
    def nothing_rotates_without_a_cause(self) -> None:
        if self.plane.pods:
            for ring in RINGS:
                self.signers[ring.component].add(self.plane.keys(ring).signer.certificate)
        assert sum(map(len, self.signers.values())) <= len(RINGS) + self.asked + self.deleted

    def teardown(self) -> None:
        """Left alone, with nodes that renew, every rotation ends, and then nothing is written any more."""
        if not self.plane.pods:
            return
        for _ in range(12):
            self.plane.passed()
            self.plane.roll()
            for number in range(len(self.plane.nodes)):
                self._renew(number, 0)
        self.plane.requests.clear()
        for _ in range(6):
            self.plane.now += timedelta(days=366)
            self.plane.nodes.clear()
            for _ in range(4):
                self.plane.passed()
                self.plane.roll()
        assert not self.plane.rotating
        assert self.plane.passed() == 0

    def _renew(self, node: int, pod: int) -> None:
        self.plane.renew(self.plane.nodes[node], self.plane.pods[pod])

    def _still_trusted(self, person: Person) -> bool:
        """Whether what signed for a person is not dropped yet: then he has to fetch another kubeconfig, as is promised."""
        return accepts(self.plane.trusted, person.client.certificate, self.plane.now)


def _made(certificate: bytes) -> Any:
    return parsing.load_pem_x509_certificate(certificate).not_valid_before_utc


def _expired(person: Person, plane: Plane) -> bool:
    return plane.now - _made(person.client.certificate) > timedelta(days=364)


class Losses(RuleBasedStateMachine):
    """Secrets that sign are deleted, also in the midst of a rotation; nodes are replaced, never renewed."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = Plane()
        self.asked = 0

    @initialize()
    def begin(self) -> None:
        self.plane.born()
        self.plane.join()

    @rule(ring=st.sampled_from(RINGS))
    def ask(self, ring: Any) -> None:
        self.asked += 1
        self.plane.annotations[ring.request] = f"turn {self.asked}"

    @rule(ring=st.sampled_from(RINGS))
    def lose(self, ring: Any) -> None:
        self.plane.objects.pop(("Secret", "tenants", ring.secret("demo")), None)

    @rule()
    def passes(self) -> None:
        self.plane.passed()

    @rule(writes=WRITES)
    def dies(self, writes: int) -> None:
        self.plane.passed(crash_after=writes)

    @rule()
    def works_on(self) -> None:
        """Once pods have changed over, nobody is shut out who was not before."""
        self.plane.passed()
        self.plane.roll()
        assert list(wrongs(self.plane)) == []

    @rule()
    def node_is_replaced(self) -> None:
        self.works_on()
        self.plane.nodes.pop(0)
        self.plane.join()

    def teardown(self) -> None:
        """Once its nodes are made anew, it ends, and then nothing is written any more."""
        for _ in range(8):
            self.works_on()
        for _ in range(6):
            self.plane.nodes = []
            self.plane.join()
            self.plane.now += timedelta(days=200)
            for _ in range(4):
                self.plane.passed()
                self.plane.roll()
        self.plane.nodes = []
        for _ in range(4):
            self.works_on()
        assert not self.plane.rotating
        assert self.plane.passed() == 0


Rotations.TestCase.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
Losses.TestCase.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
test_nobody_is_shut_out_by_a_rotation = Rotations.TestCase
test_what_is_lost_shuts_out_nobody_once_the_pods_have_changed = Losses.TestCase
