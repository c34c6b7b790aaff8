"""Bootstrap data as Cluster API's kubeadm provider writes it: the few modules of cloud-config that a lab machine knows.

Pure: text in, a frozen `CloudConfig` out. Known are `write_files`, `bootcmd` and `runcmd`, with the meaning cloud-init gives
them (https://docs.cloud-init.io, modules "Write Files", "Bootcmd", "Runcmd"), and of its jinja templates the one expression
`{{ ds.meta_data.NAME }}`. Whatever else it holds is refused, never skipped: a machine that is set up by half is worse
than none. Called by `bootstrap`.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

HEADER = "#cloud-config"
TEMPLATE_HEADER = re.compile(r"\A##\s*template:\s*jinja\s*\n")
EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
METADATA = re.compile(r"ds\.meta_data\.([A-Za-z_]\w*)")
KNOWN = frozenset({"write_files", "bootcmd", "runcmd"})
FILE_KEYS = frozenset({"path", "content", "encoding", "permissions", "owner", "append"})
BASE64 = frozenset({"b64", "base64"})
GZIP = frozenset({"gz", "gzip"})
OWNER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(:[A-Za-z_][A-Za-z0-9_-]*)?")


class Refused(ValueError):
    """The bootstrap data asks for something that a lab machine does not do, or cannot be read. Says what and where."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of `write_files`. `mode` is the permission bits, `owner` `user` or `user:group`."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root:root"
    append: bool = False


@dataclass(frozen=True, kw_only=True)
class CloudConfig:
    """What to do, in the order cloud-init does it: boot commands, files, commands. Commands are lines of sh."""

    boot_commands: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    commands: tuple[str, ...] = ()


def parse(data: bytes, metadata: Mapping[str, str]) -> CloudConfig:
    """Read bootstrap data; `metadata` are the values behind `ds.meta_data`. Raises Refused."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refused("bootstrap data is not UTF-8 text") from error
    if template := TEMPLATE_HEADER.match(text):
        text = _rendered(text[template.end() :], metadata)
    if text.splitlines()[:1] != [HEADER]:
        raise Refused(f"bootstrap data must begin with the line {HEADER}; other formats are not carried out")
    document = _document(text)
    if unknown := sorted(map(str, set(document) - KNOWN)):
        raise Refused(f"a lab machine carries out {', '.join(sorted(KNOWN))} only, not: {', '.join(unknown)}")
    return CloudConfig(
        boot_commands=_commands(document, "bootcmd"),
        files=tuple(_file(each, f"write_files[{index}]") for index, each in enumerate(_list(document, "write_files"))),
        commands=_commands(document, "runcmd"),
    )


def _rendered(text: str, metadata: Mapping[str, str]) -> str:
    """The text with `{{ ds.meta_data.NAME }}` replaced; values are not looked at again, so they cannot nest."""

    def value(found: re.Match[str]) -> str:
        name = METADATA.fullmatch(found[1])
        if name is None or name[1] not in metadata:
            known = ", ".join(f"ds.meta_data.{each}" for each in sorted(metadata))
            raise Refused(f"template expression {found[0]!r} is not known; there are {known}")
        return metadata[name[1]]

    for statement in ("{%", "{#"):
        if statement in text:
            raise Refused(f"templates may hold {{{{ ds.meta_data.NAME }}}} only, no {statement}")
    return EXPRESSION.sub(value, text)


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Refused(f"bootstrap data is not YAML{where}") from None  # the text is secret: it holds a join token
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Refused("bootstrap data must be a mapping of modules")
    return document


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key) or []
    if not isinstance(value, list):
        raise Refused(f"{key} must be a list")
    return value


def _commands(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A string is a line of shell as it is; a list is one command whose words are quoted."""
    lines = []
    for index, each in enumerate(_list(document, key)):
        if isinstance(each, str):
            lines.append(each)
        elif isinstance(each, list) and each and all(isinstance(word, str | int | float) for word in each):
            lines.append(shlex.join(map(str, each)))
        else:
            raise Refused(f"{key}[{index}] must be a string or a list of words")
    return tuple(lines)


def _file(entry: Any, where: str) -> File:
    if not isinstance(entry, dict):
        raise Refused(f"{where} must be a mapping")
    if unknown := sorted(map(str, set(entry) - FILE_KEYS)):
        raise Refused(f"{where} may say {', '.join(sorted(FILE_KEYS))}, not: {', '.join(unknown)}")
    append = entry.get("append", False)
    if not isinstance(append, bool):
        raise Refused(f"{where}.append must be true or false")
    return File(
        path=_path(entry.get("path"), where),
        content=_content(entry, where),
        mode=_mode(entry.get("permissions", "0644"), where),
        owner=_owner(entry.get("owner", "root:root"), where),
        append=append,
    )


def _path(path: Any, where: str) -> str:
    if not isinstance(path, str) or not path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path:
        raise Refused(f"{where}.path must be absolute and without '..', got {path!r}")
    return str(PurePosixPath(path))


def _owner(owner: Any, where: str) -> str:
    if not isinstance(owner, str) or not OWNER.fullmatch(owner):
        raise Refused(f"{where}.owner must be user or user:group, got {owner!r}")
    return owner


def _mode(permissions: Any, where: str) -> int:
    """Octal text as cloud-init reads it; a YAML number has its base behind it already."""
    try:
        mode = permissions if isinstance(permissions, int) else int(str(permissions), 8)
    except ValueError:
        raise Refused(f"{where}.permissions must be octal like '0640', got {permissions!r}") from None
    if not 0 <= mode <= 0o7777:
        raise Refused(f"{where}.permissions must be octal like '0640', got {permissions!r}")
    return mode


def _content(entry: Mapping[str, Any], where: str) -> bytes:
    content, encoding = entry.get("content") or "", str(entry.get("encoding") or "text/plain").lower()
    if not isinstance(content, str | bytes):
        raise Refused(f"{where}.content must be text")
    data = content.encode() if isinstance(content, str) else content
    parts = set() if encoding == "text/plain" else set(encoding.split("+"))
    if parts - BASE64 - GZIP:
        raise Refused(f"{where}.encoding {encoding!r} is not known; there are text/plain, b64, gz+b64")
    try:
        if parts & BASE64:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        return gzip.decompress(data) if parts & GZIP else data
    except (binascii.Error, OSError, EOFError, zlib.error) as error:
        raise Refused(f"{where}.content is not valid {encoding}") from error
