"""At which age another authority or key is asked for by nobody: where an annotation says so, for each apart. Pure.

Each tenant at its own share of a twentieth before that, as its leaves are (`credential.early`), so that tenants of one birth do
not all roll at once. What is begun so goes the way of any rotation; the next begins when that is over, however old it is then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting import credential, renewal
from provider.hosting.view import View
from provider.manifest import meta

AFTER: Final = "-after"  # at the end of the annotation that asks for another
SHAPE: Final = re.compile(r"([1-9][0-9]{0,4})([dh])")
HOURS: Final = {"d": 24, "h": 1}
REQUESTS: Final = (
    names.ANNOTATION_ROTATE_CA,
    names.ANNOTATION_ROTATE_FRONT_PROXY_CA,
    names.ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY,
    names.ANNOTATION_ROTATE_ENCRYPTION_KEY,
)


def check(view: View) -> None:
    """Invalid names the annotation that says no age."""
    for request in REQUESTS:
        said = meta.annotations_of(view.raw).get(request + AFTER)
        if said is not None and not SHAPE.fullmatch(said):
            raise Invalid(
                "AnnotationInvalid",
                f"annotation {request}{AFTER} {said[:64]!r} is no age: write days or hours, such as 365d or 720h, or remove it"
                " to rotate only when somebody asks",
            )


def due(view: View, request: str, born: datetime | None) -> datetime | None:
    """When what was born then is asked for anew; None: never."""
    found = SHAPE.fullmatch(meta.annotations_of(view.raw).get(request + AFTER, ""))
    if found is None or born is None:
        return None
    return born + timedelta(hours=int(found[1]) * HOURS[found[2]]) * (1 - credential.early(view))


def reached(view: View, request: str, born: datetime | None) -> bool:
    """Whether it is that old."""
    moment = due(view, request, born)
    return moment is not None and view.now >= moment


def wait(view: View, moments: Iterable[datetime | None]) -> float | None:
    """Seconds until the first of them that is to come, or until it is looked for again."""
    ahead = [each for each in moments if each is not None and each > view.now]
    return min(renewal.LONGEST, (min(ahead) - view.now).total_seconds()) if ahead else None
