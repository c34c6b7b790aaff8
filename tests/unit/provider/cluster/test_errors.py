"""Which error an answer stands for, where the HTTP status alone does not tell."""

from __future__ import annotations

import json

import pytest

from provider.cluster import errors
from provider.cluster.errors import ApiError, Refused


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.y: field not declared in schema",
            Refused,
        ),
        ("etcdserver: request timed out", ApiError),
    ],
)
def test_an_unknown_field_is_a_refusal_although_the_api_server_says_500(message: str, kind: type[ApiError]) -> None:
    found = errors.of(500, json.dumps({"kind": "Status", "reason": "InternalError", "message": message}).encode())
    assert type(found) is kind
    assert (found.status, found.message) == (500, message)
