"""Every way that a move between two stores can take: the real protocol in a small world, explored to its last state.

The world is what the protocol leans on: two roles in two etcds, keys as numbers, pods that come and go as a Deployment has it,
a provider that may die between any two of its acts, and a copy that was thought dead and lives on. The tenant writes whenever a
role and a pod let it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from provider.api.verdict import NotReady
from provider.hosting import migration
from provider.hosting.migration import Phase, Sight, standby
from provider.hosting.view import Move

NOW = datetime(2026, 11, 29, tzinfo=UTC)
A, B = "a", "b"
MOST = 2  # writes that the tenant makes in each store
FAR = migration.SLACK + 1  # a revision of b above those of a
GATES = ("", "open")
Pod = tuple[str, bool, str]
"""Store; whether its containers are ready; its gate: none, shut, open. Nothing is sent to one whose gate is shut."""


@dataclass(frozen=True)
class World:
    """What lasts is in the stores and in the management cluster; `copy` and `ghost` are in a process."""

    phase: Phase | None = None
    home: str = A
    wanted: str = B
    may_a: str = "W"  # what the tenant may do there: nothing, read, write
    may_b: str = ""
    held_b: bool = False  # finalizers: who ends the tenant looks into these stores
    held_a: bool = False
    written_a: int = 0  # acknowledged there
    copied: int = 0  # of those, what is in b
    written_b: int = 0
    note: str = ""  # beside the copy in b: open or sealed
    standby: bool = False  # as recorded
    outrun: bool = False  # a has come to revisions that pods which stand by have seen b at
    template: tuple[str, str] = (A, "")  # store, gate of new pods
    pods: frozenset[Pod] = frozenset({(A, True, "")})
    rolls: bool = True  # new pods come up beside those that serve
    shown: bool = False  # somebody was served from b
    above: bool = False  # revisions of a are above what b has shown
    copy: str = ""  # runs, or is told to finish
    ghost: bool = False  # a copy of a dead provider whose last request is still on its way: a freeze

    @property
    def move(self) -> Move:
        assert self.phase is not None
        return Move(phase=self.phase, source=A, target=B, began="", since=NOW, standby=FAR if self.standby else 0)

    @property
    def stores(self) -> set[str]:
        """Those that are used, or will be."""
        return {store for store, _, _ in self.pods} | {self.template[0]}

    def serves(self, store: str) -> bool:
        """Whether a pod of that store is sent something."""
        return any(each == store and up and gate != "shut" for each, up, gate in self.pods)


def sight(world: World, *, late: bool = False, failed: bool = False) -> Sight:
    strangers = bool(world.stores - {world.home})
    return Sight(
        wanted=world.wanted,
        now=NOW + timedelta(hours=1 if late else 0),
        level=bool(world.copy) and world.copied == world.written_a,
        floor=FAR if world.copy else 0,
        sealed=bool(world.copy) and world.note == "sealed",
        last=FAR if world.outrun else 0,
        beside=world.rolls and world.serves(world.home),
        up=world.template == (B, "shut") and (B, True, "shut") in world.pods,
        failure=NotReady("Failed", "") if failed else None,
        strangers=strangers,
        served=world.serves(world.home),
        rolled_out=world.template[0] == world.home
        and world.pods in ({(*world.template[:1], True, gate)} for gate in GATES),
        left=world.held_a if world.home == B else world.held_b,
    )


def acts(world: World, seen: Sight) -> Iterator[World]:
    """The world after each act of one pass, in order: a provider may die after any of them."""
    if world.phase is None:
        if world.wanted == world.home:
            return
        yield (world := replace(world, held_b=True))
        yield (world := replace(world, may_b="R"))
        yield (world := replace(world, phase=Phase.COPYING))
    else:
        found = migration.after(world.move, seen)
        if found is None or found.phase not in migration.COPIED:
            world = replace(world, copy="")
        if found is None:
            yield replace(world, phase=None)
            return
        if (world.phase, found.phase) == (Phase.RETURNING, Phase.FAILED):
            yield (world := replace(world, above=True))
        if found.phase == Phase.SWITCHING:
            yield (world := replace(world, held_a=True))
        standby = bool(found.standby)
        yield (world := replace(world, phase=Phase(found.phase), home=migration.home(found), standby=standby))
    yield (world := let_in(world))
    may = "R" if migration.frozen(world.move) else "W"
    yield (world := replace(world, **{f"may_{world.home}": may}))
    yield (world := replace(world, template=templated(world)))
    yield (world := erased(world, seen))
    if world.phase in migration.COPIED:
        yield replace(world, copy="finish" if world.phase == Phase.FROZEN else world.copy or "run")


def let_in(world: World) -> World:
    """As `standby.open_to` has it."""
    if world.phase == Phase.SWITCHING and not world.standby:
        return world
    return replace(
        world,
        pods=frozenset(
            (store, up, gate and ("open" if store == world.home else gate)) for store, up, gate in world.pods
        ),
        shown=world.shown or (world.home == B and (B, True, "shut") in world.pods),
    )


def templated(world: World) -> tuple[str, str]:
    """As `standby.of_pods` and `standby.asked` have it."""
    if world.standby and world.phase in standby.ASKED:
        return B, "shut"
    return world.home, ""


def erased(world: World, seen: Sight) -> World:
    """As `released` does, where no pod uses the store."""
    kept = migration.kept(replace(world.move, since=world.move.since), world.wanted, seen.now)
    used = world.stores
    if B not in kept | used and world.held_b:
        world = replace(world, may_b="", held_b=False, copied=0, note="")
    if A not in kept | used and world.held_a:
        world = replace(world, may_a="", held_a=False)
    return world


def steps(world: World) -> Iterator[World]:
    """All that may happen next."""
    for late in (False, True):
        for failed in (False, True):
            done = world
            for done in acts(world, sight(world, late=late, failed=failed)):
                yield died(done)
            yield done
    yield from died_with_a_ghost(world)
    yield from of_the_copy(world)
    yield from of_the_pods(world)
    yield from of_the_source(world)
    yield from of_the_tenant(world)


def died(world: World) -> World:
    return replace(world, copy="")


def died_with_a_ghost(world: World) -> Iterator[World]:
    yield died(world)
    if world.copy == "finish":
        yield replace(died(world), ghost=True)
    if world.ghost and world.phase == Phase.FROZEN:  # a request is late by seconds, not by another move
        yield replace(world, may_a="R" if world.may_a else "", ghost=False)
    if world.ghost and world.phase != Phase.FROZEN:
        yield replace(world, ghost=False)


def of_the_copy(world: World) -> Iterator[World]:
    if world.copy and not world.note:
        yield replace(world, note="open", copied=0)
    if world.copy and world.note == "open" and world.copied < world.written_a:
        yield replace(world, copied=world.copied + 1)
    if world.copy == "finish":
        yield replace(world, may_a="R")
        if world.may_a == "R" and world.note == "open" and world.copied == world.written_a:
            yield replace(world, note="sealed")


def of_the_pods(world: World) -> Iterator[World]:
    """A Deployment lets a pod of another template go when one of its own is ready, or when it was not ready itself."""
    store, gate = world.template
    own = {each for each in world.pods if each[0] == store and bool(each[2]) == bool(gate)}
    if not own:
        yield replace(world, pods=world.pods | {(store, False, gate)})
    for each in world.pods:
        if not each[1]:
            yield came_up(world, each)
    ready = any(up and gate != "shut" for _, up, gate in own)
    for each in world.pods - own:
        if ready or not each[1] or each[2] == "shut":
            yield replace(world, pods=world.pods - {each})


def came_up(world: World, pod: Pod) -> World:
    store, _, gate = pod
    shown = world.shown or (store == B and gate != "shut")
    return replace(
        world,
        pods=world.pods - {pod} | {(store, True, gate)},
        shown=shown,
        above=world.above and (store == A or gate == "shut"),
    )


def of_the_source(world: World) -> Iterator[World]:
    """Other tenants write there as well, at any time; once it is sealed that counts no more."""
    if world.phase in (Phase.STANDING_BY, Phase.FROZEN) and world.note != "sealed":
        yield replace(world, outrun=True)


def of_the_tenant(world: World) -> Iterator[World]:
    if world.serves(A) and world.may_a == "W" and world.written_a < MOST:
        yield replace(world, written_a=world.written_a + 1)
    if world.serves(B) and world.may_b == "W" and world.written_b < MOST:
        yield replace(world, written_b=world.written_b + 1)


def of_the_user(world: World) -> Iterator[World]:
    if world.phase is not None or world.home == A:
        yield replace(world, wanted=A if world.wanted == B else B)


def over(world: World) -> bool:
    """The provider has nothing to wait for: the tenant writes where it is at home, and is served from there."""
    may = world.may_a if world.home == A else world.may_b
    rests = world.phase in (None, Phase.FAILED, Phase.MOVED)
    return rests and may == "W" and world.serves(world.home)


@pytest.fixture(scope="module")
def explored() -> dict[World, set[World]]:
    """Every world that can come about, with those that may come next without anybody changing the spec."""
    found: dict[World, set[World]] = {}
    ahead = [World(), World(rolls=False)]
    while ahead:
        world = ahead.pop()
        if world in found:
            continue
        if world.phase is None and world.home == B:  # moved: another move begins from there as this one did
            found[world] = set()
            continue
        found[world] = set(steps(world)) - {world}
        ahead += [*found[world], *of_the_user(world)]
    return found


def test_all_of_the_protocol_is_explored(explored: dict[World, set[World]]) -> None:
    assert {world.phase for world in explored} == {None, *Phase}
    assert any(world.home == B and world.written_b for world in explored)
    assert any(world.phase == Phase.FAILED and world.written_a == MOST for world in explored)
    assert len(explored) > 1000


def test_there_are_never_two_stores_that_the_tenant_may_write_to(explored: dict[World, set[World]]) -> None:
    assert not [world for world in explored if (world.may_a, world.may_b) == ("W", "W")]


def test_no_write_that_was_acknowledged_is_missing_where_the_tenant_may_write(
    explored: dict[World, set[World]],
) -> None:
    for world in explored:
        if world.may_b == "W":
            assert world.home == B
            assert world.copied == world.written_a, world
        if world.may_a == "W":
            assert world.home == A
            assert world.written_b == 0, world


def test_the_home_is_never_erased_and_nothing_is_copied_over_a_home(explored: dict[World, set[World]]) -> None:
    for world in explored:
        assert world.may_a if world.home == A else world.may_b, world
        if world.home == B:
            assert world.note == "sealed", world


def test_who_was_shown_the_target_finds_no_older_revisions_in_the_source_when_it_is_written_again(
    explored: dict[World, set[World]],
) -> None:
    """A pod of the target may answer in the moment in which it is given up."""
    assert any(world.shown and world.home == A for world in explored)
    for world in explored:
        if world.shown and world.may_a == "W":
            assert world.above, world
            assert not world.serves(B), world


def test_nobody_is_sent_to_the_target_while_the_source_may_be_written_or_the_copy_is_not_sealed(
    explored: dict[World, set[World]],
) -> None:
    """Nor to a pod that has seen the copy come at revisions which clients of the source may have."""
    assert any((B, True, "shut") in world.pods and world.may_a == "W" and world.written_a for world in explored)
    for world in explored:
        if world.serves(B) and world.home == B:
            assert world.may_a != "W", world
            assert world.note == "sealed", world
        if any(gate == "open" for _, _, gate in world.pods):
            assert not world.outrun, world
        if world.phase in (Phase.COPYING, Phase.STANDING_BY, Phase.FROZEN):
            assert not world.serves(B), world


def test_pods_that_stand_by_take_nobodys_place_before_they_serve(explored: dict[World, set[World]]) -> None:
    for world, following in explored.items():
        if world.phase in (Phase.STANDING_BY, Phase.FROZEN) and world.serves(A):
            assert all(each.serves(A) for each in following), world


def test_a_pod_of_the_target_that_is_seen_to_serve_is_not_given_up(explored: dict[World, set[World]]) -> None:
    for world, following in explored.items():
        if world.phase == Phase.SWITCHING and world.serves(B):
            assert all(each.home == B for each in following), world


def test_nobody_is_shown_what_is_old_once_there_is_something_newer(explored: dict[World, set[World]]) -> None:
    for world in explored:
        if world.may_b == "W":
            assert not world.serves(A), world


def test_what_is_over_leaves_nothing_in_the_store_that_is_not_the_home(explored: dict[World, set[World]]) -> None:
    for world in explored:
        if world.phase is None and world.home == B:
            assert not (world.held_a or world.may_a), world
    assert any(world.phase is None and world.home == A and not world.held_b for world in explored if world != World())


def test_from_everywhere_there_is_a_way_on_to_where_the_tenant_writes_again(
    explored: dict[World, set[World]],
) -> None:
    before: dict[World, set[World]] = {}
    for world, following in explored.items():
        for each in following:
            before.setdefault(each, set()).add(world)
    reached = {world for world in explored if over(world)}
    ahead = list(reached)
    while ahead:
        for each in before.get(ahead.pop(), ()):
            if each not in reached:
                reached.add(each)
                ahead.append(each)
    assert not [world for world in explored if world not in reached]
