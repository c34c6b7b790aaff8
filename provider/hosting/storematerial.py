"""What a DataStore says of how to get into it, read from where it says it: certificates, keys, user and password.

Which of them a driver needs is here. Nothing here reaches a client; no message holds a secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from provider.api import kinds
from provider.api.datastore import ContentRef, DataStore
from provider.api.verdict import Invalid
from provider.hosting.view import ETCD, NATS, Seen
from provider.manifest import meta
from provider.manifest.x509 import Pair

_CA = "spec.tlsConfig.certificateAuthority.certificate"
_CA_KEY = "spec.tlsConfig.certificateAuthority.privateKey"
_CLIENT = "spec.tlsConfig.clientCertificate.certificate"
_CLIENT_KEY = "spec.tlsConfig.clientCertificate.privateKey"
_USER = "spec.basicAuth.username"
_PASSWORD = "spec.basicAuth.password"
_BASIC_AUTH = (_USER, _PASSWORD)
_ENDPOINT = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
# kine hands NATS what stands in a URL as it stands there, so nothing may need to be written in another way.
_PLAIN = re.compile(r"[A-Za-z0-9._~$&+,;=-]+")


@dataclass(frozen=True, kw_only=True)
class Material:
    """What it takes to reach a store as its root, and to let tenants in."""

    # Signed the server's certificate, and signs tenants' client certificates. No certificate: no TLS; no key: it signs nothing.
    authority: Pair
    client: Pair | None  # with etcd its common name is root
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Access:
    """How one gets into a store: as its root, or with what a tenant's API server has."""

    driver: str
    endpoints: tuple[str, ...]  # host:port
    ca: bytes = b""  # PEM; empty: without TLS
    client: Pair | None = field(default=None, repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    root: str = ""  # of a tenant's: whom it must not be taken for


class BasicAuthInvalid(Invalid):
    """What spec.basicAuth says cannot be used."""


def references(datastore: DataStore) -> Iterator[tuple[str, str]]:
    """(namespace, name) of each Secret that is read, once. Content given in place needs no Secret."""
    found = dict.fromkeys(
        (each.secret_reference.namespace or "", each.secret_reference.name or "")
        for _, each in _contents(datastore)
        if each is not None and not each.content and each.secret_reference
    )
    yield from found


def material(datastore: DataStore, secrets: Seen) -> Material:
    """Certificates, keys and passwords of a store. Invalid names the first field that cannot be used."""
    read = {path: _bytes(path, content, secrets) for path, content in _contents(datastore) if _needed(datastore, path)}
    client = Pair(certificate=read[_CLIENT], key=read[_CLIENT_KEY]) if _CLIENT in read else None
    authority = Pair(certificate=read.get(_CA, b""), key=read.get(_CA_KEY, b""))
    if datastore.spec.driver == ETCD:
        return Material(authority=authority, client=client)
    for each in datastore.spec.endpoints:
        if not _ENDPOINT.fullmatch(each):
            raise Invalid("EndpointMalformed", f"spec.endpoints: {each!r} is no host:port: write one, without a scheme")
    user, password = (_text(datastore, path, read[path]) for path in (_USER, _PASSWORD))
    return Material(authority=authority, client=client, user=user, password=password)


def access(datastore: DataStore, secrets: Seen) -> Access:
    """How its root gets in. Invalid as `material`."""
    found = material(datastore, secrets)
    return Access(
        driver=datastore.spec.driver,
        endpoints=datastore.spec.endpoints,
        ca=found.authority.certificate,
        client=found.client,
        user=found.user,
        password=found.password,
    )


def _contents(datastore: DataStore) -> Iterator[tuple[str, ContentRef | None]]:
    """The fields whose bytes are read, by path."""
    tls = datastore.spec.tls_config
    yield _CA, tls.certificate_authority.certificate if tls else None
    yield _CA_KEY, tls.certificate_authority.private_key if tls else None
    yield _CLIENT, tls.client_certificate.certificate if tls and tls.client_certificate else None
    yield _CLIENT_KEY, tls.client_certificate.private_key if tls and tls.client_certificate else None
    basic = datastore.spec.basic_auth
    yield _USER, basic.username if basic else None
    yield _PASSWORD, basic.password if basic else None


def _needed(datastore: DataStore, path: str) -> bool:
    """etcd is root's certificate and nothing else; the others are a user and a password, and of TLS what is given."""
    spec = datastore.spec
    if spec.driver == ETCD:
        return path not in _BASIC_AUTH
    tls = spec.tls_config
    return {
        _CA: tls is not None,
        _CA_KEY: tls is not None and tls.certificate_authority.private_key is not None,
        _CLIENT: tls is not None and tls.client_certificate is not None,
        _CLIENT_KEY: tls is not None and tls.client_certificate is not None,
    }.get(path, True)


def _text(datastore: DataStore, path: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BasicAuthInvalid("ContentUnreadable", f"{path} is no UTF-8 text: write another") from None
    if datastore.spec.driver == NATS and not _PLAIN.fullmatch(text):
        raise BasicAuthInvalid(
            "CredentialsUnusable",
            f"{path} holds characters that kine cannot hand to NATS: give the user a name and a password of letters, digits"
            " and . _ ~ $ & + , ; = - only",
        )
    return text


def _bytes(field: str, content: ContentRef | None, secrets: Seen) -> bytes:
    """Content in place wins over a Secret (upstream's rule)."""
    invalid = BasicAuthInvalid if field in _BASIC_AUTH else Invalid
    if content is None or not (content.content or content.secret_reference):
        raise invalid("FieldMissing", f"{field} is empty: give it content or a secretReference")
    if content.content:
        try:
            return base64.b64decode(content.content, validate=True)
        except ValueError:
            raise invalid("ContentUnreadable", f"{field}.content is no base64: encode it with base64") from None
    assert content.secret_reference is not None
    reference = content.secret_reference
    where = f"{reference.namespace or ''}/{reference.name or ''}"
    secret = secrets.get(kinds.SECRET, reference.name or "", reference.namespace or "")
    if secret is None:
        raise invalid("SecretMissing", f"Secret {where}, named by {field}, does not exist: create it or name another")
    value = meta.decoded(secret).get(reference.key_path)
    if not value:
        raise invalid(
            "SecretKeyMissing", f"Secret {where} has no key {reference.key_path!r}, which {field}.keyPath names: add it"
        )
    return value
