"""A kubelet may know the Secret of a moment ago: it starts no pod of a step with the file of the one before."""

from __future__ import annotations

from provider.hosting.encryption import MARKS
from provider.hosting.encryption.document import FILE
from provider.manifest import meta
from tests.unit.provider.hosting.encryption.vaults import COPY, MAIN, Vault, encrypted, wanted


def keys(vault: Vault, name: str = MAIN) -> set[str]:
    return set(vault.secret(name))


def mark(vault: Vault) -> str:
    """The one that pods ask for."""
    (found,) = wanted(vault.template) - {FILE}
    return found


def newest(vault: Vault) -> str:
    return max(keys(vault) - {FILE})


def of_before() -> Vault:
    """As a version left it that made no marks."""
    vault = encrypted()
    for name in (MAIN, COPY):
        where = ("Secret", "tenants", name)
        found = vault.objects[where]
        vault.objects[where] = {**found, "data": meta.secret_data({FILE: meta.decoded(found)[FILE]})}
    vault.settle()
    return vault


def test_who_writes_is_not_changed_while_a_pod_waits_for_a_cache_that_is_late() -> None:
    vault = encrypted()
    vault.say(rotate_encryption_key="once")
    vault.look()
    vault.roll()
    vault.replace_server(0, late=1)
    step = mark(vault)
    assert not vault.servers[0].runs
    for _ in range(3):
        vault.look()
        assert mark(vault) == step
    vault.retry()
    assert vault.servers[0].runs
    for which in range(12):
        vault.look()
        vault.roll()
        vault.write("secrets", f"object-{which}", which)
        assert vault.unreadable() == []
        vault.rewrite()
    assert vault.told()[:2] == ("True", "Encrypted")
    assert mark(vault) != step


def test_a_pod_of_the_step_before_starts_again_while_the_next_is_rolled_out() -> None:
    vault = encrypted()
    vault.say(rotate_encryption_key="once")
    vault.look()
    assert all(each.template != vault.template for each in vault.servers)
    vault.replace_server(0)
    assert vault.servers[0].runs


def test_pods_ask_for_the_mark_of_their_step_and_the_secrets_have_those_of_the_last() -> None:
    vault = encrypted()
    for number in range(6):
        vault.say(rotate_encryption_key=f"turn {number}")
        vault.settle()
        assert mark(vault) == newest(vault)
        assert keys(vault) == keys(vault, COPY)
        assert len(keys(vault)) <= 1 + MARKS
    assert len(keys(vault)) == 1 + MARKS


def test_what_a_version_without_marks_has_left_stays_as_it_is_until_the_next_step() -> None:
    vault = of_before()
    assert (keys(vault), wanted(vault.template), vault.told()[1]) == ({FILE}, {FILE}, "Encrypted")
    template = vault.template
    assert vault.look() == 0
    assert vault.template == template
    vault.say(rotate_encryption_key="once")
    vault.look()
    assert mark(vault) == newest(vault)
    vault.settle()
    assert vault.told()[:2] == ("True", "Encrypted")


def test_marks_that_are_taken_from_one_secret_are_put_back_from_the_other() -> None:
    vault = encrypted()
    template, where = vault.template, ("Secret", "tenants", MAIN)
    found = vault.objects[where]
    vault.objects[where] = {**found, "data": meta.secret_data({FILE: meta.decoded(found)[FILE]})}
    vault.look()
    assert keys(vault) == keys(vault, COPY)
    assert vault.template == template


def test_to_note_that_all_is_written_once_more_makes_no_pod_anew() -> None:
    vault = Vault().begin()
    vault.write("secrets", "a")
    vault.say(encrypt="secrets")
    while vault.told()[1] != "Rewriting":
        vault.look()
        vault.roll()
    vault.rewrite()
    template, data = vault.template, vault.secret(MAIN)
    vault.settle()
    assert vault.told()[:2] == ("True", "Encrypted")
    assert (vault.template, vault.secret(MAIN)) == (template, data)
