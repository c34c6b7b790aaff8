"""A bridge from an authority to the one before it: the new one's name and key, signed by the old (RFC 4949, cross-certificate).

Shown behind a leaf of the new authority, it lets a verifier that trusts only the old one find its way. Called by the rotation
of authorities.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from provider.manifest.mint import Mint
from provider.manifest.privatekey import load_key
from provider.manifest.x509 import Pair, authority_key, dated, key_usage, signed


def built(to: bytes, former: Pair, mint: Mint, now: datetime) -> bytes | None:
    """The certificate, valid for as long as both authorities; None when the former may sign no authority below it."""
    target, signer = (x509.load_pem_x509_certificate(each) for each in (to, former.certificate))
    if _basic(signer).path_length == 0:  # RFC 5280 would let it pass, for both have one name; Go does not
        return None
    end = min(target.not_valid_after_utc, signer.not_valid_after_utc)
    builder = (
        dated(x509.CertificateBuilder(), mint, now, end - now)
        .subject_name(target.subject)
        .issuer_name(signer.subject)
        .public_key(target.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(ca=True), critical=True)
        .add_extension(_own_key(target), critical=False)
        .add_extension(authority_key(signer), critical=False)
    )
    return signed(builder, load_key(former.key))


def leads(chain: tuple[bytes, ...], to: bytes, now: datetime) -> bool:
    """Whether a chain of bridges begins at this authority, hangs together and is in time; an empty one does."""
    try:
        held = [x509.load_pem_x509_certificate(each) for each in (to, *chain)]
        if chain and held[0].public_key() != held[1].public_key():
            return False
        for below, above in pairwise(held[1:]):
            below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return all(each.not_valid_before_utc <= now < each.not_valid_after_utc for each in held[1:])


def _basic(authority: x509.Certificate) -> x509.BasicConstraints:
    return authority.extensions.get_extension_for_class(x509.BasicConstraints).value


def _own_key(authority: x509.Certificate) -> x509.SubjectKeyIdentifier:
    """As the authority calls its key: leaves name it so."""
    try:
        return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
