"""Looks up who still needs a former authority or key, while a rotation waits for that. Called by the tenant pass.

What is seen of a kubelet's new certificate is noted on its Node: the request by which it got it is gone an hour later.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from provider.api import kinds, names
from provider.api.verdict import Verdict
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting import rotation
from provider.hosting.observe import rotation as observe
from provider.hosting.rotation import followers
from provider.hosting.rotation.keyring import CA
from provider.hosting.view import Follower, Followers, View
from provider.manifest import pem

log = logging.getLogger(__name__)

Dial = Callable[[], Awaitable[Cluster]]
"""A connection to the tenant's API server. Verdict while there is none."""


async def followed(view: View, dial: Dial) -> View:
    """The view that knows who follows; as it was where nobody asks, or the tenant does not answer."""
    asked = rotation.question(view)
    if not asked:
        return view
    try:
        session = await dial()
        nodes = await _nodes(view, session) if "nodes" in asked else ()
        tokens = await observe.tokens(session) if "tokens" in asked else ()
    except (Verdict, ApiError, ValueError) as error:
        log.info("%s/%s: who follows a rotation is not known: %s", view.namespace, view.name, error)
        return view
    return replace(view, followers=Followers(nodes=nodes, tokens=tokens))


async def _nodes(view: View, session: Cluster) -> tuple[Follower, ...]:
    """The nodes, those noted whose kubelets are seen to have renewed."""
    signer = rotation.of(view, CA).signer
    new = pem.fingerprint(signer.certificate)
    renewed = followers.renewed(await observe.signing_requests(session), signer)
    found = []
    for each in await observe.nodes(session):
        if each.name in renewed and each.key != new:
            note = {"metadata": {"annotations": {names.ANNOTATION_CLIENT_AUTHORITY: new}}}
            await session.merge(kinds.NODE, each.name, None, note, manager=names.HOSTING_MANAGER)
            found.append(replace(each, key=new))
        else:
            found.append(each)
    return tuple(found)
