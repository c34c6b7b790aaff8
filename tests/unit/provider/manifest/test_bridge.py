"""From one authority to the one before it: what a chain of bridges is, and when there is none to be had."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509 as parsing

from provider.manifest import bridge, pem, x509
from tests.golden.world import NOW, CountedMint
from tests.unit.provider.manifest import brought

MINT = CountedMint()
FIRST, SECOND, THIRD = (x509.authority("kubernetes", MINT, NOW) for _ in range(3))
TO_SECOND = bridge.built(SECOND.certificate, FIRST, MINT, NOW) or b""
TO_THIRD = bridge.built(THIRD.certificate, SECOND, MINT, NOW) or b""


def test_it_has_the_name_and_key_of_the_new_authority_and_the_signature_of_the_old() -> None:
    made = parsing.load_pem_x509_certificate(TO_SECOND)
    new, old = (parsing.load_pem_x509_certificate(each.certificate) for each in (SECOND, FIRST))
    assert (made.subject, made.public_key()) == (new.subject, new.public_key())
    made.verify_directly_issued_by(old)
    assert made.extensions.get_extension_for_class(parsing.BasicConstraints).value.ca


def test_it_is_good_for_as_long_as_both_authorities() -> None:
    short = brought.authority(NOW, life=timedelta(days=3))
    for to, former in ((SECOND, short), (short, SECOND)):
        made = bridge.built(to.certificate, former, MINT, NOW)
        assert made is not None
        assert parsing.load_pem_x509_certificate(made).not_valid_after_utc == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("chain", "leads"),
    [
        ((), True),
        ((TO_THIRD,), True),
        ((TO_THIRD, TO_SECOND), True),
        ((TO_SECOND,), False),
        ((TO_SECOND, TO_THIRD), False),
        ((TO_THIRD, TO_THIRD), False),
        ((b"junk",), False),
    ],
)
def test_a_chain_begins_at_who_signs_now_and_hangs_together(chain: tuple[bytes, ...], leads: bool) -> None:
    assert bridge.leads(chain, THIRD.certificate, NOW) is leads


def test_a_chain_that_has_expired_leads_nowhere() -> None:
    assert not bridge.leads((TO_THIRD,), THIRD.certificate, NOW + x509.CA_LIFE)


def test_an_authority_that_may_sign_only_leaves_gives_none() -> None:
    assert bridge.built(SECOND.certificate, brought.authority(NOW, path_length=0), MINT, NOW) is None


def test_a_bundle_holds_each_block_once_in_order() -> None:
    text = FIRST.certificate + b"a word between\r\n" + SECOND.certificate.replace(b"\n", b"\r\n") + FIRST.certificate
    assert pem.blocks(text)[:2] == (FIRST.certificate, SECOND.certificate)
    assert pem.bundle([text]) == FIRST.certificate + SECOND.certificate
    assert pem.holds(text, SECOND.certificate)
    assert not pem.holds(text, THIRD.certificate)
    assert pem.blocks(b"junk") == ()
    assert pem.fingerprint(FIRST.certificate) == pem.fingerprint(text) != pem.fingerprint(SECOND.certificate)
