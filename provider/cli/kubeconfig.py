"""`kamaji kubeconfig`: a tenant's admin kubeconfig, printed or merged into the user's own file. Called by `commands`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from provider.api import kinds, names
from provider.cli.session import MANAGER, Session
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.cluster.errors import NotFound
from provider.manifest import Manifest, kubeconfig, meta, yamltext

PUBLIC, INSIDE = "admin.conf", "admin.svc"
"""Keys of the Secret: by the tenant's endpoint, and by its Service's name inside the management cluster."""


async def content(session: Session, tenant: Manifest, key: str = PUBLIC) -> bytes:
    """The kubeconfig. Trouble while it is not made, or where we may not read Secrets there."""
    namespace, name = tenant["metadata"]["namespace"], tenant["metadata"]["name"]
    secret = names.admin_kubeconfig_secret(name)
    data = meta.decoded(await session.cluster.get(kinds.SECRET, secret, namespace))
    if key not in data:
        raise Trouble(
            f"{namespace}/{name} has no kubeconfig yet (Secret {secret} lacks {key}): see `kamaji explain {namespace}/{name}`",
            ASKED_AND_NO,
        )
    return data[key]


async def renewed(session: Session, tenant: Manifest) -> str:
    """Ask for other client certificates of its administrators; a sentence about it. Trouble while there are none."""
    namespace, name = tenant["metadata"]["namespace"], tenant["metadata"]["name"]
    secret, called = names.admin_kubeconfig_secret(name), f"{namespace}/{name}"
    patch = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    try:
        await session.cluster.merge(kinds.SECRET, secret, namespace, patch, manager=MANAGER)
    except NotFound as error:
        raise Trouble(f"{called} has no kubeconfig yet: see `kamaji explain {called}`", ASKED_AND_NO) from error
    return (
        f"the admin kubeconfig of {called} is asked for anew: `kamaji kubeconfig {called}` prints it in a moment. Who has the"
        f" former one can use it until its certificate expires, or `kamaji rotate {called} ca` is through"
    )


def renamed(found: bytes, name: str) -> dict[str, Any]:
    """The same with its cluster, user and context all called `name`, so that many tenants fit into one file."""
    read = kubeconfig.parse(found)
    document = yaml.safe_load(
        kubeconfig.Kubeconfig(
            cluster=name, server=read.server, ca=read.ca, user=name, client=read.client, context=name
        ).render()
    )
    return dict(document)


def merged(into: Mapping[str, Any], new: Mapping[str, Any], *, use: bool) -> dict[str, Any]:
    """A kubeconfig with the entries of `new` in place of those of the same names. `use`: it becomes the current context."""
    result = {"apiVersion": "v1", "kind": "Config", **into}
    for key in ("clusters", "users", "contexts"):
        added = {each["name"] for each in new[key]}
        result[key] = [each for each in into.get(key) or () if each.get("name") not in added] + list(new[key])
    if use or not result.get("current-context"):
        result["current-context"] = new["current-context"]
    return result


def target(said: str | None, environment: Mapping[str, str]) -> Path:
    """The file that is merged into: the one said, the first of $KUBECONFIG, or the one in the home directory."""
    first = next((each for each in environment.get("KUBECONFIG", "").split(os.pathsep) if each), None)
    return Path(said or first or "~/.kube/config").expanduser()


def merge_into(file: Path, new: Mapping[str, Any], *, use: bool) -> None:
    """Write it, whole or not at all, for its owner only. Trouble when the file is no kubeconfig: it stays as it is."""
    try:
        before = yamltext.read(file.read_bytes()) if file.exists() else {}
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise Trouble(
            f"{file} cannot be read as a kubeconfig, and was left as it is: {type(error).__name__}"
        ) from error
    if before is not None and not isinstance(before, dict):
        raise Trouble(f"{file} is no kubeconfig, and was left as it is: say another with --merge-into")
    text = yaml.safe_dump(merged(before or {}, new, use=use), sort_keys=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        goal = file.resolve()  # a link stays a link
        handle, temporary = tempfile.mkstemp(dir=goal.parent, prefix=f".{goal.name}.")
        with os.fdopen(handle, "w") as out:
            out.write(text)
        Path(temporary).replace(goal)
    except OSError as error:
        raise Trouble(f"{file} cannot be written: {error.strerror}") from error
