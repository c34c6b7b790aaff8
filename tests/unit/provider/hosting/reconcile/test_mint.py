"""The real source of keys and serials: what it gives is never the same twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509 as parsing

from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import x509
from provider.manifest.x509 import Request

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.keeps("better.etcd-identity")
def test_two_certificates_for_one_name_have_neither_serial_nor_key_in_common() -> None:
    authority = x509.authority("ca", RandomMint(), NOW)
    request = Request(common_name="tenant", client=True)
    leaves = [
        parsing.load_pem_x509_certificate(x509.issue(request, authority, RandomMint(), NOW).certificate) for _ in "ab"
    ]
    assert len({each.serial_number for each in leaves}) == 2
    assert min(each.serial_number.bit_length() for each in leaves) > 64
    assert leaves[0].public_key() != leaves[1].public_key()


def test_two_passwords_have_nothing_in_common_and_say_much() -> None:
    one, other = RandomMint().password(), RandomMint().password()
    assert one != other
    assert min(len(one), len(other)) >= 43
