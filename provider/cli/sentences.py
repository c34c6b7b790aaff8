"""Explanations, plans and trees in a terminal. What others wrote is printed as text: no markup in it is obeyed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from provider.cli import output
from provider.cli.plan import Plan
from provider.overview.explain import Explanation
from provider.overview.tree import BAD, OK, WAITING, Branch

HEALTH = {OK: "green", WAITING: "yellow", BAD: "red"}
SIGNS = {"make": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def explanation(found: Explanation) -> None:
    """The headline, each finding with what to do next, and what Kubernetes warned of."""
    out = output.console()
    out.print(Text(found.headline, style="bold green" if found.ready else "bold"))
    for each in found.findings:
        since = f", for {each.since}" if each.since else ""
        out.print(Text(f"\n{each.what}: {each.reason}{since}", style="yellow"))
        _line(out, each.message)
        _line(out, f"Next: {each.advice.next}")
        _commands(out, each.advice.look)
        if each.advice.mend:
            _line(out, "This mends it:" if len(each.advice.mend) == 1 else "One of these mends it:")
            _commands(out, each.advice.mend)
    if found.warnings:
        out.print(Text("\nKubernetes warns", style="yellow"))
        for warning in found.warnings:
            _line(out, warning)


def plan(found: Plan) -> None:
    """Fields, what clients feel, objects, and what stands in the way."""
    out = output.console()
    if found.empty and not found.hindrances:
        out.print(Text(f"{found.name}: nothing would change", style="bold green"))
        return
    out.print(Text(f"{found.name} {'would be made' if found.new else 'would change'}", style="bold"))
    _group(out, "spec", found.fields)
    _group(out, "what people and workers will feel", found.effects or ("nothing",))
    if found.changes:
        out.print(Text("\nobjects", style="yellow"))
        for each in found.changes:
            sign, colour = SIGNS[each.action]
            out.print(Text(f"  {sign} {each.name}", style=colour))
    _group(out, "what stands in the way, or cannot be told yet", found.hindrances)


def tree(root: str, found: Iterable[Branch]) -> Tree:
    """Each object a leaf."""
    drawn = Tree(Text(root, style="bold"))
    for branch in found:
        limb = drawn.add(Text(branch.title))
        for each in branch.leaves:
            line = Text(f"{each.kind} {each.name}")
            line.append(f"  {each.words or each.health}", style=HEALTH[each.health])
            limb.add(line)
    return drawn


def _group(out: Console, title: str, lines: tuple[str, ...]) -> None:
    if not lines:
        return
    out.print(Text(f"\n{title}", style="yellow"))
    for each in lines:
        _line(out, each)


def _commands(out: Console, commands: Iterable[str]) -> None:
    for each in commands:
        out.print(Text(f"    {each}", style="cyan"), soft_wrap=True)


def _line(out: Console, words: str) -> None:
    out.print(Text(f"  {words}"))
