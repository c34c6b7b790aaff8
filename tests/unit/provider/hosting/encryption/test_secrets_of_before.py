"""Secrets that somebody puts back from before, and pods that find none: no key takes the place of one that writes."""

from __future__ import annotations

import pytest

from provider.manifest import meta
from tests.unit.provider.hosting.encryption.vaults import COPY, MAIN, Vault, encrypted


def test_a_secret_of_an_earlier_step_does_not_take_the_place_of_a_later_one() -> None:
    """As a backup of the management cluster puts it back, whole, but without the key that writes by now."""
    vault = encrypted()
    earlier = vault.objects[("Secret", "tenants", MAIN)]
    vault.say(rotate_encryption_key="one")
    vault.settle()
    now = vault.secret(MAIN)
    vault.objects[("Secret", "tenants", MAIN)] = earlier
    vault.look()
    assert vault.secret(MAIN) == now


def test_a_copy_of_an_encryption_of_before_does_not_take_the_place_of_the_one_of_now() -> None:
    """However many steps that one had taken before it was switched off."""
    vault = encrypted()
    for turn in ("one", "two"):
        vault.say(rotate_encryption_key=turn)
        vault.settle()
    earlier = vault.objects[("Secret", "tenants", COPY)]
    for wanted in (None, "secrets"):
        vault.say(encrypt=wanted)
        vault.settle()
    now = vault.secret(MAIN)
    vault.objects[("Secret", "tenants", COPY)] = earlier
    vault.settle(2)
    assert (vault.secret(MAIN), vault.secret(COPY), vault.unreadable()) == (now, now, [])


def test_a_secret_that_is_put_back_after_switching_off_is_only_read_with_until_it_goes() -> None:
    vault = encrypted()
    earlier = vault.objects[("Secret", "tenants", MAIN)]
    vault.say(encrypt=None)
    vault.settle()
    vault.objects[("Secret", "tenants", MAIN)] = earlier
    vault.look()
    vault.start_server()
    vault.write("secrets", "b", which=2)
    assert vault.unreadable() == [], "pods run that have no key"
    vault.settle()
    assert (vault.secret(MAIN), vault.secret(COPY), set(vault.store.values())) == ({}, {}, {b"{}"})


@pytest.mark.keeps("better.encryption-key-kept")
def test_a_deleted_secret_stays_while_the_other_is_one_of_before() -> None:
    """Else who dies between two writes has lost the key that writes by now."""
    vault = encrypted()
    earlier = vault.objects[("Secret", "tenants", COPY)]
    vault.say(rotate_encryption_key="one")
    vault.settle()
    now, template = vault.secret(MAIN), vault.template
    vault.objects[("Secret", "tenants", COPY)] = earlier
    vault.delete(MAIN)
    vault.look(crash_after=1)
    vault.settle(3)
    assert (vault.secret(MAIN), vault.secret(COPY), vault.template) == (now, now, template)


@pytest.mark.keeps("better.encryption-key-kept")
def test_two_secrets_of_before_are_no_key_until_one_of_now_is_put_back() -> None:
    """As a backup puts them back that was taken before the key was replaced: with it no pod could read what is stored."""
    vault = encrypted()
    earlier = {name: vault.objects[("Secret", "tenants", name)] for name in (MAIN, COPY)}
    vault.say(rotate_encryption_key="one")
    vault.settle()
    now, template = vault.objects[("Secret", "tenants", COPY)], vault.template
    for name, each in earlier.items():
        vault.objects[("Secret", "tenants", name)] = each
    vault.settle(3)
    assert vault.told()[:2] == ("False", "EncryptionKeyLost")
    assert (vault.template, vault.unreadable()) == (template, [])
    vault.objects[("Secret", "tenants", COPY)] = now
    vault.settle(3)
    assert vault.told()[:2] == ("True", "Encrypted")
    assert vault.secret(MAIN) == meta.decoded(now)


def test_a_secret_of_before_is_taken_where_it_has_the_key_of_now() -> None:
    """As a backup puts it back that was taken before more was to be encrypted."""
    vault = encrypted()
    earlier = {name: vault.objects[("Secret", "tenants", name)] for name in (MAIN, COPY)}
    vault.say(encrypt="secrets,configmaps")
    vault.write("configmaps", "b")
    vault.settle()
    for name, each in earlier.items():
        vault.objects[("Secret", "tenants", name)] = each
    vault.look()
    vault.start_server()
    vault.write("configmaps", "c", which=2)
    assert vault.unreadable() == []
    vault.settle()
    assert (vault.told()[:2], vault.unreadable()) == (("True", "Encrypted"), [])


def test_pods_that_wait_for_the_secret_do_not_count_as_ones_that_read() -> None:
    """Pods of the template are about when the Secret is gone: none of them can start, so none of before ends for them."""
    vault = Vault().begin()
    vault.say(encrypt="secrets")
    vault.look()
    vault.delete(MAIN)
    vault.look()
    assert vault.secret(MAIN) == {}
    vault.roll()
    for _ in range(3):
        vault.look()
        held = vault.held()
        assert held is not None
        assert set(held.document.writers.values()) == {""}, "nobody writes what pods of before cannot read"
    vault.settle()
    assert (vault.told()[:2], vault.unreadable()) == (("True", "Encrypted"), [])


def test_what_is_deleted_once_all_is_plain_again_is_not_called_lost() -> None:
    """While pods of before are still about: what they had is needed for nothing any more."""
    vault = encrypted()
    vault.say(encrypt=None)
    while (held := vault.held()) is not None and held.mounted:
        vault.look()
        vault.roll()
        vault.rewrite()
    vault.look()
    for name in (MAIN, COPY):
        vault.delete(name)
    vault.settle(3)
    assert vault.told() == ("", "", "")
    assert (vault.secret(MAIN), vault.secret(COPY), vault.look()) == ({}, {}, 0)
