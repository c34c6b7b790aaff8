"""`kamaji certificates`: what a tenant's Secrets prove, signed by whom, and until when. Never a private key. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provider.api import names
from provider.manifest import Manifest, kubeconfig, lifetime, meta
from provider.overview.rows import Column, Row, age

COLUMNS = (
    Column("SECRET", "secret"),
    Column("KEY", "key"),
    Column("SUBJECT", "subject"),
    Column("SIGNED BY", "issuer"),
    Column("AGE", "age"),
    Column("EXPIRES", "expires"),
    Column("DAYS", "days"),
    Column("RENEWED", "renewed"),
)
CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, kw_only=True)
class Dated:
    """One certificate in a Secret."""

    secret: str
    key: str
    subject: str
    issuer: str
    begins: datetime
    expires: datetime
    renewal: datetime  # when the provider makes another, of those that it renews
    authority: bool
    certificate: bytes = field(repr=False)  # PEM


def certificates(secret: Manifest) -> list[Dated]:
    """All certificates in a Secret, those inside kubeconfigs too. What cannot be read is left out."""
    metadata = secret["metadata"]
    owner = next((each["uid"] for each in metadata.get("ownerReferences") or () if each.get("controller")), "")
    early = lifetime.spread(owner) if owner else 0.0
    return [
        _dated(metadata["name"], key, each, early)
        for key, value in meta.decoded(secret).items()
        for each in _read(value)
    ]


def rows(secrets: Iterable[Manifest], now: datetime) -> list[Row]:
    """A line for each certificate, the first to expire first; the same certificate under two keys of a Secret is one."""
    found: dict[tuple[str, str, datetime], Row] = {}
    for secret in secrets:
        renewed = names.LABEL_CERTIFICATE_LIFECYCLE in meta.labels_of(secret)
        for each in certificates(secret):
            found.setdefault((each.secret, each.subject, each.expires), _row(each, now, renewed=renewed))
    return sorted(found.values(), key=lambda each: (each["expires"], each["secret"], each["key"]))


def _row(each: Dated, now: datetime, *, renewed: bool) -> Row:
    return {
        "secret": each.secret,
        "key": each.key,
        "subject": each.subject,
        "issuer": "itself" if each.issuer == each.subject else each.issuer,
        "age": age(each.begins.isoformat(), now),
        "expires": each.expires.date().isoformat(),
        "days": (each.expires - now).days,
        "renewed": each.renewal.date().isoformat() if renewed and not each.authority else "by rotation",
    }


def _read(value: bytes) -> Iterator[x509.Certificate]:
    try:
        if CERTIFICATE in value:
            yield from x509.load_pem_x509_certificates(value)
        elif b"client-certificate-data" in value:
            yield from x509.load_pem_x509_certificates(kubeconfig.parse(value).client.certificate)
    except ValueError:
        return


def _dated(secret: str, key: str, found: x509.Certificate, early: float) -> Dated:
    try:
        authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    return Dated(
        secret=secret,
        key=key,
        subject=_name(found.subject),
        issuer=_name(found.issuer),
        begins=found.not_valid_before_utc,
        expires=found.not_valid_after_utc,
        renewal=lifetime.due(found, early),
        authority=authority,
        certificate=found.public_bytes(Encoding.PEM),
    )


def _name(found: x509.Name) -> str:
    common = found.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else found.rfc4514_string()
