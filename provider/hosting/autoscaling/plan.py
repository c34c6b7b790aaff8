"""What all containers of a control plane shall ask for next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from provider.api.autoscaler import TenantAutoscaler
from provider.hosting.autoscaling import pods, requests
from provider.hosting.autoscaling.decision import Load, decided
from provider.hosting.autoscaling.requests import CONTAINERS, RESOURCES, Amounts
from provider.manifest import Manifest

Loads = Mapping[str, Mapping[str, Load]]
"""By container and resource."""
ROLLED = timedelta(minutes=15)  # between two changes that make pods anew


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What there is to decide about. `own`: the containers' resources without an autoscaler."""

    autoscaler: TenantAutoscaler
    own: Mapping[str, Manifest]
    loads: Loads
    hindrance: str  # why pods cannot be resized as they run; empty when they can
    now: datetime

    def planned(self) -> dict[str, dict[str, int]]:
        """By container, what has bounds. ValueError: what the user wrote is no quantity."""
        return {each: dict(self._amounts(each)) for each in CONTAINERS}

    def most(self) -> dict[str, dict[str, int]]:
        """By container, what it may ask for at most."""
        return {
            each: {name: bounds.most for name, bounds in requests.ranges(self.autoscaler, each, self.own[each]).items()}
            for each in CONTAINERS
        }

    def unmeasured(self) -> tuple[str, ...]:
        """Containers with bounds, of which nobody says what they take."""
        return tuple(each for each, bounds in self.most().items() if bounds and not self.loads.get(each))

    def in_place(self, asked: Mapping[str, Amounts]) -> dict[str, Manifest]:
        """By container, what of it pods that run can be made to ask for, requests and limits."""
        return {each: _laid(self.own[each], pods.in_place(self.own[each], asked[each])) for each in CONTAINERS}

    def _amounts(self, container: str) -> Iterator[tuple[str, int]]:
        own, loads = self.own[container], self.loads.get(container) or {}
        bounds = requests.ranges(self.autoscaler, container, own)
        before = requests.targets(self.autoscaler, container, own)
        soft = {} if self.hindrance else pods.in_place(own, before)
        for name, value in before.items():
            moves = name in loads and (name in soft or not self._rests)
            yield name, decided(value, loads[name], bounds[name], RESOURCES[name].grain) if moves else value

    @property
    def _rests(self) -> bool:
        changed = self.autoscaler.status.changed
        return changed is not None and self.now - datetime.fromisoformat(changed) < ROLLED


def _laid(own: Manifest, amounts: Amounts) -> Manifest:
    whole = requests.overlaid(own, amounts)
    return {
        group: {name: value for name, value in whole[group].items() if name in amounts}
        for group in ("requests", "limits")
        if group in whole
    }
