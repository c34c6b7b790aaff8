"""What comes into force a moment after it was written: rights, admission policies, quotas. Tests wait for it by asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest
from tests.integration.real_controllers import until

Ask = Callable[[], Awaitable[Any]]


async def refused(ask: Ask, what: str = "what was written is in force") -> ApiError:
    """Ask again and again until the API server says no; what it says."""

    async def said() -> ApiError | None:
        try:
            await ask()
        except ApiError as error:
            return error
        return None

    found: ApiError = await until(said, what)
    return found


async def let_through(ask: Ask, fault: type[ApiError] = ApiError) -> None:
    """Ask again and again until that is answered, and not by this fault."""

    async def done() -> bool:
        try:
            await ask()
        except fault:
            return False
        return True

    await until(done, "it is let through")


async def rights(admin: Cluster, role: Manifest, user: str, namespace: str = "default") -> None:
    """Until a user may do what a role says, as the API server itself tells who asks about him."""
    rule = next(each for each in role["rules"] if each.get("resources"))
    resource, _, subresource = rule["resources"][0].partition("/")
    asked = {"verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource}
    asked |= {"namespace": role["metadata"].get("namespace", namespace), "name": (rule.get("resourceNames") or [""])[0]}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {"name": ""},
        "spec": {"user": user, "resourceAttributes": asked},
    }

    async def granted() -> bool:
        return bool((await admin.create(review))["status"]["allowed"])

    await until(granted, f"{user} has the rights of {role['metadata']['name']}")
