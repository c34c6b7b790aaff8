"""Whatever is asked in whatever order, with crashes, pods that start with what stands then, Secrets lost: all can be read."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provider.api import names
from provider.hosting.encryption import phases
from provider.manifest import meta
from tests.unit.provider.hosting.encryption.vaults import COPY, MAIN, PLAIN, Vault

RESOURCES = ("secrets", "configmaps", "widgets.example.com")
SOCKET = "unix:///run/kms/plugin.sock"
MOUNTED = {
    "controlPlane": {
        "deployment": {
            "replicas": 2,
            "additionalVolumes": [{"name": "kms", "hostPath": {"path": "/run/kms"}}],
            "additionalVolumeMounts": {"apiServer": [{"name": "kms", "mountPath": "/run/kms"}]},
        }
    }
}


class Encryption(RuleBasedStateMachine):
    """Users, clients, kubelets, and a provider that dies."""

    def __init__(self) -> None:
        super().__init__()
        self.vault = Vault(spec=dict(MOUNTED))
        self.asked = 0
        self.objects = 0

    @initialize(first=st.sets(st.sampled_from(RESOURCES)))
    def begin(self, first: set[str]) -> None:
        """It may be born with what it asks for, or run plain first."""
        self.ask(first)
        self.vault.begin()

    @rule(what=st.sets(st.sampled_from(RESOURCES)))
    def ask(self, what: set[str]) -> None:
        self.vault.say(encrypt=",".join(sorted(what)) or None)

    @rule(plugin=st.booleans())
    def another_way(self, plugin: bool) -> None:
        self.vault.say(encryption_plugin=SOCKET if plugin else None)

    @rule()
    def another_key(self) -> None:
        self.asked += 1
        self.vault.say(rotate_encryption_key=f"turn {self.asked}")

    @rule()
    def passes(self) -> None:
        self.vault.look()

    @rule(writes=st.integers(0, 6), backwards=st.booleans())
    def dies(self, writes: int, backwards: bool) -> None:
        self.vault.look(crash_after=writes, backwards=backwards)

    @precondition(lambda self: len(self.vault.servers) < 4)
    @rule()
    def pod_starts(self) -> None:
        self.vault.start_server()

    @rule()
    def pod_ends(self) -> None:
        self.vault.end_server()

    @rule()
    def rolls(self) -> None:
        self.vault.roll()

    @rule()
    def kubelets_try_again(self) -> None:
        self.vault.retry()

    @rule(which=st.integers(0, 8), counted=st.booleans())
    def pod_is_evicted(self, which: int, counted: bool) -> None:
        """Another takes its place, of the same template, whatever the Deployment's is by now; and that may be told later."""
        self.vault.replace_server(which, counted=counted)

    @rule(which=st.integers(0, 8), late=st.integers(0, 9))
    def pod_is_evicted_to_a_node_whose_cache_is_late(self, which: int, late: int) -> None:
        """Its kubelet knows the Secret as it was some writes ago."""
        self.vault.replace_server(which, late=late)

    @rule(which=st.integers(0, 8))
    def container_starts_again(self, which: int) -> None:
        """With the file that its kubelet has put there by now."""
        self.vault.restart(self.vault.servers[which % len(self.vault.servers)])

    @rule(resource=st.sampled_from(RESOURCES), which=st.integers(0, 8), old=st.integers(0, 5))
    def client_writes(self, resource: str, which: int, old: int) -> None:
        self.objects += 1
        self.vault.write(resource, f"object-{min(old, self.objects)}", which)

    @rule(count=st.integers(1, 4))
    def some_is_written_once_more(self, count: int) -> None:
        self.vault.rewrite(count)

    @rule(main=st.booleans(), how=st.sampled_from(["deleted", "cut", "another"]))
    def one_secret_is_hurt(self, main: bool, how: str) -> None:
        """One while the other is whole, without what holds it; and looked at before that one is."""
        for _ in range(5):
            self.vault.look()
        where = ("Secret", "tenants", MAIN if main else COPY)
        if where not in self.vault.objects:
            return
        if how == "deleted":
            del self.vault.objects[where]
        else:
            found = self.vault.objects[where]
            content = meta.decoded(found)["encryption.yaml"]
            other = content[:-20] if how == "cut" else content.replace(b"secret: ", b"secret: AA")
            self.vault.objects[where] = {**found, "data": meta.secret_data({"encryption.yaml": other})}
        self.vault.look()

    @precondition(lambda self: self.vault.former)
    @rule(main=st.booleans(), which=st.integers(0, 40))
    def an_earlier_one_is_put_back(self, main: bool, which: int) -> None:
        """As somebody does who has a backup of it, who may have had it encrypted before that was switched off."""
        for _ in range(5):
            self.vault.look()
        self.vault.put_back(MAIN if main else COPY, which)
        if main:
            self.vault.look()  # before any process reads it

    @precondition(lambda self: self.vault.former)
    @rule(which=st.integers(0, 40))
    def both_of_before_are_put_back(self, which: int) -> None:
        """Then it may be said to be lost, and pods stay as they are until one of now is put back."""
        for _ in range(5):
            self.vault.look()
        now, template = self.vault.objects.get(("Secret", "tenants", COPY)), self.vault.template
        for name in (MAIN, COPY):
            self.vault.put_back(name, which)
        for _ in range(2):
            self.vault.look()
        if self.vault.told()[1] == "EncryptionKeyLost":
            assert now is not None
            assert self.vault.template == template
            self.vault.objects[("Secret", "tenants", COPY)] = now
            self.vault.look()

    @rule(main=st.booleans(), copy=st.booleans())
    def secrets_are_deleted(self, main: bool, copy: bool) -> None:
        """Both at once, too; and nobody looks before the next rule."""
        for name in [MAIN] * main + [COPY] * copy:
            self.vault.delete(name)

    @invariant()
    def whatever_anybody_wrote_everybody_can_read(self) -> None:
        assert self.vault.unreadable() == []

    @invariant()
    def no_key_is_ever_said_to_be_lost(self) -> None:
        if self.vault.servers:
            self.vault.held()

    def teardown(self) -> None:
        """Left alone it comes to what is wished, in the store as well, and then nothing is written any more."""
        if not self.vault.servers:
            return
        self.vault.settle(12)
        asked, held = self.vault.wish(), self.vault.held()
        for (resource, _), stored in self.vault.store.items():
            wanted = held.document.wanted(resource) if held and resource in held.document.writers else PLAIN
            assert stored == wanted
        assert (held is not None) == asked.on
        if held is not None:
            assert phases.steady(held, asked)
            assert sorted(held.document.writers) == sorted(asked.resources)
            assert self.vault.told()[:2] == ("True", "Encrypted")
        else:
            assert names.encryption_secret("demo") not in {key[2] for key in self.vault.objects}
        assert self.vault.look() == 0
        self.whatever_anybody_wrote_everybody_can_read()


Encryption.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
test_at_no_time_can_what_anybody_wrote_not_be_read = Encryption.TestCase
