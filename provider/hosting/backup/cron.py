"""When a schedule is due: five fields as cron's, in UTC, read by cronsim. Pure; called by the pass over a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from provider.api.verdict import Invalid

FIELDS = 5
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # to read a schedule, any time will do


@dataclass(frozen=True)
class Cron:
    """A schedule that can be read."""

    expression: str

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment."""
        return next(CronSim(self.expression, moment.astimezone(UTC)))

    def latest(self, since: datetime, now: datetime) -> datetime | None:
        """The last time after one moment and not after another; None when there was none."""
        whole = now.astimezone(UTC).replace(second=0, microsecond=0)
        found = next(CronSim(self.expression, whole + MINUTE, reverse=True), None)
        return found if found is not None and found > since else None


def parsed(text: str, field: str = "spec.schedule") -> Cron:
    """Invalid says which field means nothing; a day that never comes is none."""
    count = len(text.split())
    if count != FIELDS:
        raise Invalid("ScheduleMalformed", f"{field} {text!r} has {count} fields: write five, such as 0 3 * * *")
    try:
        CronSim(text, EPOCH)
    except CronSimError as error:
        said = str(error)
        raise Invalid(
            "ScheduleMalformed",
            f"{field} {text!r}: {said[:1].lower()}{said[1:]}: write fields such as 0 3 * * * or */15 * * * *",
        ) from None
    return Cron(text)
