"""Whatever is done to credentials by hand, by time and by crashes: one pass later all are whole, and no other was touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509 as parsing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from provider.api.credentials import OF_TENANT, below, tenants
from provider.api.credentials.node import Node
from provider.hosting.rotation.keyring import RINGS
from provider.manifest import kubeconfig, meta, privatekey, x509
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint, store
from tests.unit.provider.hosting.rotation.planes import Plane, accepts, wrongs

LEAVES = [each for each in OF_TENANT if each.sort in ("certificate", "kubeconfig")]
STRANGER = x509.authority("kubernetes", CountedMint(7), NOW)
Data = dict[str, bytes]


def rewritten(data: Data, node: Node, change: Callable[[Pair], Pair]) -> Data:
    """The Secret's data with another pair in it, in the files that hold one."""
    made = dict(data)
    if node.halves is not None:
        certificate, key = node.halves
        other = change(Pair(certificate=data[certificate], key=data[key]))
        made |= {certificate: other.certificate, key: other.key}
    for file in node.files:
        found = kubeconfig.parse(data[file])
        made[file] = replace(found, client=change(found.client)).render()
    return made


def by(signer: Pair, now: datetime, **said: Any) -> Callable[[Pair], Pair]:
    """A certificate of the same name and uses by this authority, with fewer names."""

    def made(pair: Pair) -> Pair:
        found = parsing.load_pem_x509_certificate(pair.certificate)
        name = {each.oid.dotted_string: str(each.value) for each in found.subject}
        request = Request(common_name=name["2.5.4.3"], client=True, server=True, **said)
        return x509.issue(request, signer, CountedMint(3), now)

    return made


def says(pair: Pair) -> tuple[str, frozenset[str], set[str]]:
    """Whose a certificate is, what for, and by which names."""
    found = parsing.load_pem_x509_certificate(pair.certificate)
    uses = found.extensions.get_extension_for_class(parsing.ExtendedKeyUsage).value
    try:
        named = found.extensions.get_extension_for_class(parsing.SubjectAlternativeName).value
    except parsing.ExtensionNotFound:
        return found.subject.rfc4514_string(), frozenset(each.dotted_string for each in uses), set()
    names = {str(each.value) for each in named}
    return found.subject.rfc4514_string(), frozenset(each.dotted_string for each in uses), names


class Hands(RuleBasedStateMachine):
    """Secrets are edited and deleted, names are added and taken, rotations asked for; the provider dies; years go by."""

    def __init__(self) -> None:
        super().__init__()
        self.plane = Plane(spec={"addons": {"konnectivity": {}}})
        self.hurt: set[Node] = set()
        self.asked = 0
        self.names: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.plane.born()
        self.signers = [self.plane.keys(each).signer for each in RINGS]
        self.said = {each: [says(pair) for pair in self._pairs(each)] for each in LEAVES}

    def data(self, node: Node) -> Data:
        return self.plane.secret(node.secret("demo"))

    def put(self, node: Node, data: Data) -> None:
        where = ("Secret", "tenants", node.secret("demo"))
        self.plane.objects[where] = {**self.plane.objects[where], "data": meta.secret_data(data)}
        self.hurt.add(node)

    def whole(self, node: Node) -> bool:
        return node not in self.hurt and not any(each in self.hurt for each in node.parents)

    @rule(node=st.sampled_from(LEAVES))
    def is_deleted(self, node: Node) -> None:
        self.plane.objects.pop(("Secret", "tenants", node.secret("demo")), None)
        self.hurt.add(node)

    @rule(node=st.sampled_from(LEAVES), which=st.integers(0, 9), to=st.sampled_from([b"", b"junk", None]))
    def an_entry_is_edited_or_taken_out(self, node: Node, which: int, to: bytes | None) -> None:
        data = self.data(node)
        if not data:
            return
        key = sorted(data)[which % len(data)]
        changed = {each: value for each, value in data.items() if each != key}
        self.put(node, changed if to is None else changed | {key: to})

    @rule(node=st.sampled_from(LEAVES), years=st.integers(-2, 2), stranger=st.booleans())
    def another_certificate_is_put_there(self, node: Node, years: int, stranger: bool) -> None:
        """By a stranger or by the right authority, with names missing, too many uses, from the past or the future."""
        if not self.whole(node):
            return
        signer = STRANGER if stranger else next(self._signers(node))
        moment = self.plane.now + timedelta(days=200 * years)
        try:
            self.put(node, rewritten(self.data(node), node, by(signer, moment)))
        except ValueError:
            return  # it would end before it begins

    def _signers(self, node: Node) -> Iterator[Pair]:
        held = {ring.node: self.plane.keys(ring).signer for ring in RINGS}
        for each in node.ancestors():
            if each in held:
                yield held[each]
        client = store().client_ca
        assert client is not None
        yield client

    @rule(names=st.sets(st.sampled_from(["a.example", "b.example", "192.0.2.7"])))
    def other_names_are_asked_for(self, names: set[str]) -> None:
        self.plane.spec = {**self.plane.spec, "networkProfile": {"certSANs": sorted(names)}}
        self.names = names
        self.hurt.add(tenants.SERVING)

    @rule(ring=st.sampled_from(RINGS))
    def a_rotation_is_asked_for(self, ring: Any) -> None:
        self.asked += 1
        self.plane.annotations[ring.request] = f"turn {self.asked}"

    @rule(writes=st.integers(0, 15))
    def the_provider_dies(self, writes: int) -> None:
        self.plane.passed(crash_after=writes)

    @precondition(lambda self: self.plane.now < NOW + timedelta(days=4 * 365))
    @rule(days=st.integers(1, 400))
    def time_goes_by(self, days: int) -> None:
        """The provider is alive meanwhile, and looks as often as its deadlines tell it to."""
        self.heals()
        for _ in range(0, days, 40):
            self.plane.now += timedelta(days=40)
            self.heals(aged=True)

    @rule()
    def heals(self, aged: bool = False) -> None:
        """One pass, and the pods follow: everybody reaches everybody; only what was hurt has changed, and what is below it."""
        before = {each: self.data(each) for each in OF_TENANT}
        steady = not aged and not self.plane.rotating and not self._waits()
        self.plane.passed()
        self.plane.roll()
        assert list(wrongs(self.plane)) == []
        assert list(self.broken()) == []
        changed = {each for each in OF_TENANT if before[each] != self.data(each)}
        if steady and not self.plane.rotating:
            assert changed <= self.hurt | {one for each in self.hurt for one in below(each)}
        self.hurt.clear()

    def _waits(self) -> bool:
        return any(self.plane.keys(each).turn != self.plane.annotations.get(each.request, "") for each in RINGS)

    def broken(self) -> Iterator[str]:
        """What in a Secret would not be taken by whoever reads it."""
        trusted = {ring.node: self.plane.keys(ring).trusted for ring in RINGS}
        for node in LEAVES:
            signer = next((each for each in node.ancestors() if each in trusted), None)
            roots = trusted[signer] if signer else store().ca
            for pair in self._pairs(node):
                if not accepts(roots, pair.certificate, self.plane.now):
                    yield f"{node.title} is not taken"
                found = parsing.load_pem_x509_certificate(pair.certificate)
                if says(pair) not in self.said[node] and node is not tenants.SERVING:
                    yield f"{node.title} says something else than at first"
                if found.public_key() != privatekey.load_key(pair.key).public_key():
                    yield f"{node.title} has another's key"
        (_, uses, names), ((_, first_uses, first_names),) = (
            says(next(self._pairs(tenants.SERVING))),
            self.said[tenants.SERVING],
        )
        if (uses, names) != (first_uses, first_names | self.names):
            yield "the API server is not called as is asked"
        for file, content in self.data(tenants.TUNNEL_KUBECONFIG).items():
            if not accepts(kubeconfig.parse(content).ca, self.data(tenants.SERVING)["apiserver.crt"], self.plane.now):
                yield f"{file} does not trust the API server"

    def _pairs(self, node: Node) -> Iterator[Pair]:
        data = self.data(node)
        if node.halves is not None:
            yield Pair(certificate=data[node.halves[0]], key=data[node.halves[1]])
        for file in node.files:
            yield kubeconfig.parse(data[file]).client

    def teardown(self) -> None:
        """It comes to rest; and what signs was never replaced but by request."""
        if not self.plane.pods:
            return
        for _ in range(30):
            self.plane.passed()
            self.plane.roll()
            if "follow" in self.plane.phases().values():
                self.plane.now += timedelta(days=370)  # copies of kubeconfigs and tokens end
            elif not self.plane.rotating and not self._waits():
                break
        self.heals(aged=True)
        assert self.plane.passed() == 0
        if not self.asked:
            assert [self.plane.keys(each).signer for each in RINGS] == self.signers


Hands.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
test_what_is_done_by_hand_is_mended_and_touches_nothing_else = Hands.TestCase
