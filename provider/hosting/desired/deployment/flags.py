"""Command lines: flags of ours merged with the user's `extraArgs`. Used by the three components' modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provider.api.verdict import Invalid

# Where a tenant's state lives, and with which keys it signs, is what keeps tenants apart and their objects whole.
REFUSED_PREFIXES = ("etcd-",)


def name_of(argument: str) -> str:
    """The flag an argument sets, without dashes. Kubernetes' programs read `_` in a flag's name as `-`."""
    return argument.split("=", 1)[0].lstrip("-").replace("_", "-")


def merged(
    field: str, managed: Mapping[str, str], defaults: Mapping[str, str], user: Sequence[str], advice: Mapping[str, str]
) -> list[str]:
    """`--flag=value`, ours sorted, then the user's as written. A default gives way to the user's flag.

    Raises Invalid for a user's flag that is managed, or that no user may set; `advice` says by flag what to do instead.
    """
    given = {name_of(each) for each in user}
    for each in sorted(given):
        if each in managed or each.startswith(REFUSED_PREFIXES):
            raise Invalid(
                "FlagManaged",
                f"spec.controlPlane.deployment.extraArgs.{field}: --{each} is set by the provider:"
                f" {advice.get(each, 'remove it')}",
            )
    ours = dict(managed) | {flag: value for flag, value in defaults.items() if flag not in given}
    return [*sorted(f"--{flag}={value}" for flag, value in ours.items()), *user]
