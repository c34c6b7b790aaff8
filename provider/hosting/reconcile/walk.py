"""What one walk over the catalog of a tenant's parts knows. Folded forward by `reconcile.tenant`."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider.api.verdict import NotReady, Verdict
from provider.hosting.catalog import Step
from provider.hosting.view import View
from provider.manifest import Manifest


@dataclass
class Walk:
    """One walk over the catalog: the view as it folds forward, and which parts declined or failed and why."""

    view: View
    declined: dict[str, Verdict] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    before: Manifest = field(default_factory=dict)  # the object as it was when the pass began
    again: float | None = None  # look again after so many seconds, when nothing will wake us

    def look_again(self, seconds: float | None) -> None:
        """In so many seconds at the latest."""
        if seconds is not None:
            self.again = seconds if self.again is None else min(self.again, seconds)

    def blocked(self, step: Step) -> NotReady | None:
        """Why this step cannot be taken: the first of its needs that is not met."""
        for need in step.needs:
            if need in self.declined or need in self.failed:
                return NotReady("WaitingForPart", f"waiting for {need}")
        return None
