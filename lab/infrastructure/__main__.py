"""The lab's host process: `python -m lab.infrastructure LAB`, in the management machine's network namespace.

Started and recorded by `lab.capi`, ended by `lab down`. Load balancers and certificates run with the lab's own administrator
kubeconfig; the Cluster API provider only ever with a token of its ServiceAccount, from the moment `clusterctl init` made that.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml

from lab import programs
from lab.capi_certificates import Certificates
from lab.infrastructure import components
from lab.infrastructure.loadbalancer import Balancers
from lab.infrastructure.provider import Provider
from lab.state import Lab
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster

log = logging.getLogger("lab.infrastructure")

TOKEN_HOURS = 24
SESSION_SECONDS = TOKEN_HOURS * 3600 / 2
PAUSE = 2.0  # seconds before what ended is started again


def main() -> int:
    """Run until ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stdout)
    asyncio.run(_run(Lab(sys.argv[1])))
    return 0


async def _run(lab: Lab) -> None:
    administrator = await connect.from_file(str(lab.kubeconfig))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_kept("load balancers", Balancers(administrator, lab.network()).run))
        tasks.create_task(_kept("certificates", lambda: Certificates(administrator).run()))
        tasks.create_task(_kept("provider", lambda: _session(lab, administrator)))


async def _kept(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run it again whenever it ends: an outage of the management cluster is no reason to be gone after it."""
    while True:
        try:
            await run()
        except* Exception as errors:
            log.exception("%s stopped; they start again in %.0f s", name, PAUSE, exc_info=errors)
        await asyncio.sleep(PAUSE)


async def _session(lab: Lab, administrator: Cluster) -> None:
    """The provider with a token, until half of the token's life is over."""
    while await administrator.get(kinds.SERVICE_ACCOUNT, components.ACCOUNT, components.NAMESPACE) is None:
        await asyncio.sleep(PAUSE)
    cluster = await connect.from_file(await asyncio.to_thread(token_kubeconfig, lab))
    log.info("the provider runs as %s/%s", components.NAMESPACE, components.ACCOUNT)
    try:
        async with asyncio.timeout(SESSION_SECONDS):
            await Provider(cluster, lab).run()
    except TimeoutError:
        log.info("the provider takes a fresh token")
    finally:
        await cluster.close()


def token_kubeconfig(lab: Lab) -> Path:
    """A file: the administrator's kubeconfig, its identity changed for a fresh token of the provider's ServiceAccount."""
    kubectl = [str(programs.path("kubectl")), f"--kubeconfig={lab.kubeconfig}", f"--namespace={components.NAMESPACE}"]
    command = [*kubectl, "create", "token", components.ACCOUNT, f"--duration={TOKEN_HOURS}h"]
    token = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    document = yaml.safe_load(lab.kubeconfig.read_text())
    document["users"] = [{"name": each["name"], "user": {"token": token}} for each in document["users"]]
    file = lab.root / "infrastructure.conf"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(document))
    return file


if __name__ == "__main__":
    sys.exit(main())
