"""Manifests as a reviewer can read them: certificates, keys and checksums are shown as what they say, not as bytes.

What is lost by that (which key, which serial number) is asserted elsewhere: two walks are compared byte by byte.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from provider.manifest import Manifest, checksum, meta

USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}


class Dumper(yaml.SafeDumper):
    """Text of several lines as a block; the same value twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def written(documents: Iterable[Any]) -> str:
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=True, width=120, allow_unicode=True)


@dataclass(frozen=True)
class Legend:
    """What stands for bytes: checksums of contents, and certificates that another object holds."""

    names: Mapping[str, str]  # by checksum, and by the text of a certificate

    def named(self, value: Any) -> Any:
        """The same with each known text replaced by what it stands for."""
        match value:
            case dict():
                return {key: self.named(each) for key, each in value.items()}
            case list():
                return [self.named(each) for each in value]
            case str():
                return self.names.get(value, value)
        return value

    def shown(self, manifests: Iterable[Manifest]) -> list[Any]:
        """The manifests with Secrets decoded, documents inside of them opened, and what is known named."""
        return [self.named(self._manifest(each)) for each in manifests]

    def _manifest(self, manifest: Manifest) -> Manifest:
        match manifest["kind"]:
            case "Secret":
                data = meta.decoded(manifest)
                return {**manifest, "data": {key: self._entry(key, data) for key in data}}
            case "ConfigMap":
                return {**manifest, "data": {key: self._document(each) for key, each in manifest["data"].items()}}
        return manifest

    def _entry(self, key: str, data: Mapping[str, bytes]) -> Any:
        first = next(each for each in data if data[each] == data[key])
        copied = first != key and data[key].startswith(b"-----BEGIN")
        return f"(the same as {first})" if copied else self._content(data[key])

    def _content(self, content: bytes) -> Any:
        if b"CERTIFICATE" in content:
            return certificate(content)
        if b"PRIVATE KEY" in content:
            return f"private key, {_algorithm(serialization.load_pem_private_key(content, None).public_key())}"
        if b"PUBLIC KEY" in content:
            return f"public key, {_algorithm(serialization.load_pem_public_key(content))}"
        return "(a password)" if content.startswith(b"password-") else self._document(content.decode())

    def _document(self, text: str) -> Any:
        """A Kubernetes document written as YAML or JSON is opened; any other text stays."""
        return self._opened(_read(text)) if "apiVersion" in text else text

    def _opened(self, value: Any) -> Any:
        match value:
            case dict():
                return {
                    key: self._reference(each) if key.endswith("-data") else self._opened(each)
                    for key, each in value.items()
                }
            case list():
                return [self._opened(each) for each in value]
        return value

    def _reference(self, encoded: str) -> Any:
        content = base64.b64decode(encoded)
        return self.names.get(content.decode()) or self._content(content)


@lru_cache(maxsize=512)
def _read(text: str) -> Any:
    """Nobody changes what is read: the same documents come again with every walk, and reading them is what takes time."""
    return yaml.safe_load(text)


def legend(manifests: Iterable[Manifest]) -> Legend:
    """The legend to what these objects hold."""
    names = {}
    for each in (found for found in manifests if found["kind"] in ("Secret", "ConfigMap")):
        said = f"{each['kind']} {each['metadata']['name']}"
        data = meta.decoded(each) if each["kind"] == "Secret" else each["data"]
        names[checksum.of(data)] = f"(checksum of {said})"
        for key, content in sorted(data.items()):
            if isinstance(content, bytes) and content.startswith(b"-----BEGIN CERTIFICATE"):
                names.setdefault(content.decode(), f"({key} of {said})")
    return Legend(names)


def certificate(pem: bytes) -> dict[str, Any]:
    """What a certificate says."""
    found = x509.load_pem_x509_certificate(pem)
    said: dict[str, Any] = {
        "subject": found.subject.rfc4514_string(),
        "issuer": found.issuer.rfc4514_string(),
        "valid": f"{found.not_valid_before_utc:%Y-%m-%d %H:%M} to {found.not_valid_after_utc:%Y-%m-%d %H:%M}",
        "key": _algorithm(found.public_key()),
    }
    for each in found.extensions:
        match each.value:
            case x509.BasicConstraints(ca=True):
                said["authority"] = True
            case x509.ExtendedKeyUsage():
                said["for"] = [USAGES[usage] for usage in each.value]
            case x509.SubjectAlternativeName():
                said["names"] = each.value.get_values_for_type(x509.DNSName)
                said["addresses"] = [str(ip) for ip in each.value.get_values_for_type(x509.IPAddress)]
            case x509.KeyUsage():
                said["signs"] = "certificates" if each.value.key_cert_sign else "no certificates"
    return {"certificate": {key: value for key, value in said.items() if value}}


def _algorithm(key: Any) -> str:
    match key:
        case ec.EllipticCurvePublicKey():
            return f"ECDSA {key.curve.name}"
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
    return type(key).__name__
