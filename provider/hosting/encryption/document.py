"""What kube-apiserver reads and writes stored objects with: its EncryptionConfiguration, written and read again. Pure.

A key is called by its own fingerprint. So a configuration in which somebody put another key under a name tells so itself, and
what lies in a store says, object by object, which key it takes. Plain comes last, or first where plain is what is written:
there is always one more that can be read.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from provider.manifest import yamltext

FILE: Final = "encryption.yaml"
MARK: Final = "step-"  # and the number of one: an empty key of the Secret, beside the file
API: Final = "apiserver.config.k8s.io/v1"
SIZE: Final = 32  # bytes of a key of XSalsa20 and Poly1305, which Kubernetes calls secretbox
PLAIN: Final = ""
ENCRYPTED: Final = b"k8s:enc:"
TIMEOUT: Final = "3s"  # for a plugin's answer


@dataclass(frozen=True)
class Key:
    """A key of ours."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Tells the key apart and nothing of it."""
        return f"key-{hashlib.sha256(b'a key of stored objects' + self.secret).hexdigest()[:16]}"

    @property
    def words(self) -> str:
        """For a status."""
        return self.name

    @property
    def prefix(self) -> bytes:
        """How what it encrypted begins in the store."""
        return ENCRYPTED + f"secretbox:v1:{self.name}:".encode()

    def said(self) -> dict[str, Any]:
        """As a provider of the configuration."""
        return {"secretbox": {"keys": [{"name": self.name, "secret": base64.b64encode(self.secret).decode()}]}}


@dataclass(frozen=True)
class Plugin:
    """A KMS v2 plugin at a socket of the pod."""

    endpoint: str

    @property
    def name(self) -> str:
        """One a socket."""
        return f"kms-{hashlib.sha256(self.endpoint.encode()).hexdigest()[:8]}"

    @property
    def words(self) -> str:
        """For a status."""
        return f"the plugin at {self.endpoint}"

    @property
    def prefix(self) -> bytes:
        """How what it encrypted begins in the store."""
        return ENCRYPTED + f"kms:v2:{self.name}:".encode()

    def said(self) -> dict[str, Any]:
        """As a provider of the configuration."""
        return {"kms": {"apiVersion": "v2", "name": self.name, "endpoint": self.endpoint, "timeout": TIMEOUT}}


Reader = Key | Plugin


@dataclass(frozen=True)
class Document:
    """By whom each resource is written, and all by whom any of them can be read beside plain."""

    writers: Mapping[str, str] = field(default_factory=dict)  # resource → name of a reader, or PLAIN
    readers: tuple[Reader, ...] = ()

    def reader(self, name: str) -> Reader | None:
        """The one of this name."""
        return next((each for each in self.readers if each.name == name), None)

    def read_by(self, reader: Reader) -> Document:
        """One more can read."""
        return self if reader in self.readers else replace(self, readers=(*self.readers, reader))

    def wanted(self, resource: str) -> bytes:
        """How what is written of a resource begins in the store; empty where it is plain."""
        found = self.reader(self.writers[resource])
        return found.prefix if found else b""


def written(document: Document) -> bytes:
    """As the file that kube-apiserver reads."""
    said = [
        {
            "resources": sorted(each for each, writer in document.writers.items() if writer == name),
            "providers": list(_providers(document, name)),
        }
        for name in sorted(set(document.writers.values()))
    ]
    return yamltext.written({"apiVersion": API, "kind": "EncryptionConfiguration", "resources": said}).encode()


def read(content: bytes) -> Document:
    """What `written` said. ValueError for anything else, also for a key that is not the one that its name says."""
    try:
        said = yamltext.read(content)
        writers, readers = dict[str, str](), dict[str, Reader]()
        for each in said["resources"]:
            found = [_read(one) for one in each["providers"]]
            readers |= {one.name: one for one in found if one is not None}
            writers |= dict.fromkeys(each["resources"], found[0].name if found[0] else PLAIN)
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("it is no EncryptionConfiguration as the provider writes it") from None
    document = Document(writers, tuple(readers[each] for each in sorted(readers)))
    if written(document) != content:
        raise ValueError("it is no EncryptionConfiguration as the provider writes it")
    return document


def _providers(document: Document, writer: str) -> Iterator[dict[str, Any]]:
    plain: dict[str, Any] = {"identity": {}}
    if writer == PLAIN:
        yield plain
    yield from (each.said() for each in sorted(document.readers, key=lambda each: (each.name != writer, each.name)))
    if writer != PLAIN:
        yield plain


def _read(said: Mapping[str, Any]) -> Reader | None:
    """None for plain. `written` is held against the text afterwards, which is how a false name is found."""
    if "secretbox" in said:
        (key,) = said["secretbox"]["keys"]
        return Key(base64.b64decode(key["secret"], validate=True))
    return Plugin(said["kms"]["endpoint"]) if "kms" in said else None
