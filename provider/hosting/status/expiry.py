"""The condition that tells of certificates that end soon and that nobody renews; there is none at other times.

Its reason says how soon, so that each step towards the end is an Event; its message has the day and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from provider.api import names
from provider.api.credentials import stores
from provider.api.verdict import Invalid
from provider.hosting import renewal
from provider.hosting.rotation.keyring import RINGS
from provider.hosting.storematerial import material
from provider.hosting.storeview import StoreView
from provider.hosting.view import View
from provider.manifest.condition import Condition, timestamp

TYPE = "ExpiringSoon"
NAMED = 5

Ending = tuple[datetime, str]
"""When it ends, and a sentence of it."""


def of_tenant(view: View) -> list[Condition]:
    """Authorities, replaced only when somebody asks; leaves that somebody paused, or that end with their authority."""
    asks = {each.node: each.request for each in RINGS}
    found: dict[str, datetime] = {}
    for each in renewal.ending(view):
        where = f"{each.node.title} in Secret {view.namespace}/{each.node.secret(view.name)}"
        if each.node in asks:
            advice = f"ask for another by annotation {asks[each.node]} (docs/rotation.md)"
        else:
            advice = f"take annotation {names.ANNOTATION_PAUSED} off the Secret, or replace what signs it"
        found.setdefault(f"{where} ends at {timestamp(each.ends)}: {advice}", each.ends)
    return _said([(ends, sentence) for sentence, ends in found.items()], view.now)


def of_store(view: StoreView) -> list[Condition]:
    """What a DataStore names, of which nobody but its owner knows how to make another."""
    found = [
        (end, f"the certificate of {field} ends at {timestamp(end)}: put another in its place")
        for field, end in store_ends(view).items()
    ]
    return _said(found, view.now)


def store_ends(view: StoreView) -> dict[str, datetime]:
    """When what a DataStore names ends, by its field."""
    try:
        found = material(view.datastore, view.secrets)
    except Invalid:
        return {}
    shown = {stores.CA: found.authority.certificate, stores.ROOT: found.client.certificate if found.client else b""}
    spans = {node.secret(view.datastore.name): renewal.span(content) for node, content in shown.items()}
    return {field: span[1] for field, span in spans.items() if span is not None}


def _said(found: Iterable[Ending], now: datetime) -> list[Condition]:
    near = sorted(each for each in found if renewal.warned(each[0], now) is not None)
    if not near:
        return []
    left = renewal.warned(near[0][0], now)
    assert left is not None
    more = f"; and {len(near) - NAMED} more" if len(near) > NAMED else ""
    message = "; ".join(sentence for _, sentence in near[:NAMED]) + more
    return [Condition(type=TYPE, status="True", reason=_reason(left), message=message)]


def _reason(left: timedelta) -> str:
    if not left:
        return "Expired"
    return f"Within{left.days}Day{'s' if left.days > 1 else ''}"
