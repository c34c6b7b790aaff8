"""Who is a member of a store's etcd, who is about to be one, and on which volume each was last seen. Kept in a ConfigMap.

etcd itself says who is a member. What it cannot say stands here: who may still begin with an empty volume. A member that has
served once and comes up with nothing must not, for it would vote without knowing what it has promised; it is refused by its own
configuration until it has been taken out and let in again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from provider.api import kinds, poolnames
from provider.hosting.desired.pool.pods import stays
from provider.hosting.storeview import Member, PoolView, member_names

KEY = "roster.json"


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Names are those of pods. `volumes` and `retired` are UIDs of claims."""

    members: tuple[str, ...]  # whose pods run, in the order of their numbers
    founders: tuple[str, ...] = ()  # with whom the cluster began
    founding: tuple[str, ...] = ()  # those of them that were not seen yet: they may begin with nothing
    joining: str = ""  # comes into a cluster that exists, with an empty volume
    joining_id: str = ""  # etcd's number of it: another number is another try
    volumes: Mapping[str, str] = field(default_factory=dict)  # on which each was last seen to serve
    retired: Mapping[str, str] = field(default_factory=dict)  # of members that were given up: to be deleted
    generations: Mapping[str, int] = field(default_factory=dict)  # how often a member was given up

    @property
    def replicas(self) -> int:
        """Pods of the StatefulSet: numbers have no gap, members may."""
        return max((int(each.rpartition("-")[2]) for each in self.members), default=-1) + 1


def of(view: PoolView) -> Roster:
    """As it has to be now: by what etcd says where it was asked, else as it stands, else with all who begin together."""
    before = recorded(view)
    if view.membership is None:
        if before is not None:
            return before
        everybody = member_names(view)
        # A StatefulSet without its ConfigMap has a past: nobody in it begins with nothing.
        began = view.seen.get(kinds.STATEFUL_SET, poolnames.etcd(view.name), view.namespace) is not None
        return Roster(members=everybody, founders=everybody, founding=() if began else everybody)
    return _told(view, before or Roster(members=()), view.membership)


def recorded(view: PoolView) -> Roster | None:
    """As it stands; None before the first pass, or when somebody has made it unreadable."""
    live = view.seen.get(kinds.CONFIG_MAP, poolnames.etcd(view.name), view.namespace)
    try:
        said: dict[str, Any] = json.loads((live or {}).get("data", {})[KEY])
        said |= {key: tuple(said[key]) for key in ("members", "founders", "founding")}
        return Roster(**said)
    except (KeyError, TypeError, ValueError):
        return None


def written(roster: Roster) -> str:
    """The same roster is the same text."""
    return json.dumps(asdict(roster), sort_keys=True)


def claim_of(view: PoolView, member: str) -> Mapping[str, Any] | None:
    """The PersistentVolumeClaim of a member's pod."""
    return view.seen.get(kinds.PERSISTENT_VOLUME_CLAIM, f"data-{member}", view.namespace)


def _told(view: PoolView, before: Roster, membership: tuple[Member, ...]) -> Roster:
    known = set(member_names(view))
    found = sorted((each for each in membership if each.name in known), key=lambda each: (len(each.name), each.name))
    served = {each.name for each in found if each.answers and each.started}
    new = next((each for each in found if each.learner and not each.started), None)
    roster = replace(
        before,
        members=tuple(each.name for each in found),
        founding=tuple(each for each in before.founding if each not in served and not (new and new.name == each)),
        joining=new.name if new else "",
        joining_id=f"{new.id:x}" if new else "",
        volumes={**before.volumes, **{each: uid for each in served if (uid := _mounted(view, each))}},
        retired={each: uid for each, uid in before.retired.items() if _uid(view, each) == uid},
    )
    return _given_up(view, roster) if new and roster.joining_id != before.joining_id else roster


def _given_up(view: PoolView, roster: Roster) -> Roster:
    """What a member leaves behind that has just been let in anew. Of one that is new there is nothing.

    A claim that is not bound has no data and is kept: the new volume is for it.
    """
    member, claim = roster.joining, claim_of(view, roster.joining)
    if claim is None and member not in roster.volumes:
        return roster
    bound = ((claim or {}).get("status") or {}).get("phase") == "Bound"
    return replace(
        roster,
        volumes={each: uid for each, uid in roster.volumes.items() if each != member},
        retired={**roster.retired, **({member: _uid(view, member)} if bound else {})},
        generations={**roster.generations, member: roster.generations.get(member, 0) + 1},
    )


def _mounted(view: PoolView, member: str) -> str:
    """The claim of one that serves, where it is sure to run on it: while its pod ends, the claim may be that of the next."""
    pod = view.seen.get(kinds.POD, member, view.namespace)
    return _uid(view, member) if stays(pod) else ""


def _uid(view: PoolView, member: str) -> str:
    return str(((claim_of(view, member) or {}).get("metadata") or {}).get("uid") or "")
