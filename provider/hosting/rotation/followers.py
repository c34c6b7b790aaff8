"""Who still needs a former authority or key, and until when anybody can. Pure.

Of a kubelet's client certificate three things can be known, and no API server tells which one a kubelet shows. A node that
was registered after the former authority had signed its last certificate has one of the new. A kubelet renews by a signing
request, which is kept for an hour; what is seen there is noted on the Node. And no certificate outlives the longest that was
signed. What a kubelet trusts cannot be known, but from when on it can have learned it: it need not follow as long as it finds
a bridge; where there is none, only a node that was registered later is known to trust the new one.

Of people with copies of kubeconfigs nothing is known; they have a day. Of tokens none tells by which key it was signed: all
that expire have done so after the longest life, and those in Secrets never do.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from provider.hosting.rotation.keyring import ACCOUNT, CA, Keyring, Ring
from provider.hosting.view import View
from provider.manifest import Manifest, pem
from provider.manifest.x509 import Pair, signed_by

# What kube-controller-manager signs a certificate for, and what kube-apiserver lengthens a mounted token to: a year each.
YEAR = timedelta(days=365)
FETCHED = timedelta(days=1)  # in which people and programs can fetch the kubeconfigs that they copied
CERTIFICATES, TOKENS, LENGTHENED = (
    "cluster-signing-duration",
    "service-account-max-token-expiration",
    "service-account-extend-token-expiration",
)
USER = "system:node:"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def behind(view: View, ring: Ring, keys: Keyring) -> tuple[str, ...] | None:
    """Names of those that are not known to have followed; None when they could not be asked for."""
    if view.followers is None or keys.since is None:
        return None
    holders = {CA: view.followers.nodes, ACCOUNT: view.followers.tokens}.get(ring, ())
    new, since = pem.fingerprint(keys.signer.certificate), keys.since
    renewed = new if keys.bridges else None
    return tuple(sorted(each.name for each in holders if each.born <= since and each.key != renewed))


def fetched(keys: Keyring) -> datetime | None:
    """When those have followed of whom nothing can be known: people with copies of kubeconfigs."""
    return keys.since + FETCHED if keys.since else None


def until(view: View, ring: Ring, keys: Keyring) -> datetime | None:
    """When the last thing that the former one signed, and that expires, has expired; None: when cannot be said."""
    if (since := keys.since) is None or (ring is CA and not keys.bridges):
        return None
    if ring is CA:
        said = _said(view.tcp.deployment.extra_args.controller_manager, CERTIFICATES)
        return since + max(YEAR, _duration(said))
    if ring is ACCOUNT:
        arguments = view.tcp.deployment.extra_args.api_server
        longest = _duration(_said(arguments, TOKENS))
        short = longest and _said(arguments, LENGTHENED) == "false"
        return since + (longest if short else max(YEAR, longest))
    return since


def renewed(requests: Iterable[Manifest], signer: Pair) -> set[str]:
    """Nodes whose kubelets were given a certificate of `signer`, by what the tenant's signing requests hold."""
    found = set()
    for each in requests:
        if (each.get("spec") or {}).get("signerName") == KUBELET_CLIENT:
            found |= _node(str((each.get("status") or {}).get("certificate") or ""), signer)
    return found


def _node(said: str, signer: Pair) -> set[str]:
    try:
        content = base64.b64decode(said, validate=True)
        subject = x509.load_pem_x509_certificate(content).subject
    except ValueError:
        return set()
    if not signed_by(content, signer):
        return set()
    named: Sequence[str] = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return {each.removeprefix(USER) for each in named if each.startswith(USER)}


def _said(arguments: Sequence[str], flag: str) -> str:
    """The value that a user's flag has, the last one where it stands twice."""
    found = [each.partition("=")[2] for each in arguments if each.lstrip("-").replace("_", "-").startswith(f"{flag}=")]
    return found[-1] if found else ""


def _duration(text: str) -> timedelta:
    """Go's way to write one; nothing of what is none."""
    return timedelta(seconds=sum(float(count) * SECONDS[unit] for count, unit in DURATION.findall(text)))
