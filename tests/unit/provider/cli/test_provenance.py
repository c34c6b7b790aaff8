"""Which certificate was signed by which, told by signatures."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from rich.console import Console

from provider.cli import provenance
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import Manifest, x509
from provider.manifest.x509 import Pair, Request
from provider.overview import certificates

NOW = datetime.now(UTC)
MINT = RandomMint()
CA = x509.authority("kubernetes-ca", MINT, NOW - timedelta(days=400))
OTHER = x509.authority("kubernetes-ca", MINT, NOW)  # of the same name, as while one takes the place of the other


def leaf(name: str, issuer: Pair, when: datetime = NOW) -> Pair:
    return x509.issue(Request(common_name=name, client=True), issuer, MINT, when)


def secret(name: str, **data: bytes) -> Manifest:
    encoded = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": {"name": name, "namespace": "team"}, "data": encoded}


def test_a_leaf_hangs_below_the_authority_that_signed_it_also_where_two_have_one_name() -> None:
    one, two, lost = leaf("one", CA), leaf("two", OTHER), leaf("lost", x509.authority("elsewhere", MINT, NOW))
    found = provenance.graph(
        [
            secret("demo-ca", ca_crt=CA.certificate, ca_key=CA.key, next_crt=OTHER.certificate),
            secret("demo-one", one_crt=one.certificate, ca_crt=CA.certificate, one_key=one.key),
            secret("demo-two", two_crt=two.certificate, lost_crt=lost.certificate),
        ]
    )
    said = {(each.found.subject, *each.places): [below.found.subject for below in each.signs] for each in found}
    assert said == {
        ("kubernetes-ca", "demo-ca/ca.crt", "demo-one/ca.crt"): ["one"],
        ("kubernetes-ca", "demo-ca/next.crt"): ["two"],
        ("lost", "demo-two/lost.crt"): [],
    }
    assert "PRIVATE" not in str(found) + str([each.said(NOW) for each in found])


def test_it_is_drawn_with_ages_and_days_and_what_has_expired_is_said() -> None:
    expired = leaf("old", CA, NOW - timedelta(days=366))
    nodes = provenance.graph(
        [secret("demo-ca", ca_crt=CA.certificate), secret("demo-old", old_crt=expired.certificate)]
    )
    out = Console(width=100)
    with out.capture() as text:
        out.print(provenance.drawn("certificates of demo", nodes, NOW))
    lines = text.get().splitlines()
    assert "kubernetes-ca  demo-ca/ca.crt  400d old, 3249 days left" in lines[1]
    assert "old  demo-old/old.crt  366d old, expired" in lines[2]


def test_a_line_for_each_certificate_has_its_age() -> None:
    (row,) = certificates.rows([secret("demo-ca", ca_crt=CA.certificate)], NOW)
    assert (row["age"], row["issuer"]) == ("400d", "itself")
