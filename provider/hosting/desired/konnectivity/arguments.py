"""Command lines of proxy server and agent: our flags, and the user's, before which ours give way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# A peer that died without a word (a node that lost power) is noticed within a minute and a half. By default it takes an hour,
# in which requests are sent to agents that are gone, and agents take dead proxy servers for live ones.
DEFAULTS = {"keepalive-time": "1m0s"}


def name_of(argument: str) -> str:
    """The flag that an argument sets, without dashes; `_` in its name is read as `-`."""
    return argument.split("=", 1)[0].lstrip("-").replace("_", "-")


def under(ours: Mapping[str, str], user: Sequence[str]) -> list[str]:
    """`--flag=value`, ours sorted but for those that the user gives, then the user's as written."""
    given = {name_of(each) for each in user}
    return [*sorted(f"--{flag}={value}" for flag, value in ours.items() if flag not in given), *user]
