"""LabMachines as machines of the lab: made, bootstrapped, looked at, ended. Blocking; `machines` calls it from threads.

Every step can be repeated and interrupted. Machines are never repaired: one that went wrong is replaced by Cluster API.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from lab.infrastructure import bootstrap, cloudconfig
from lab.infrastructure.ownership import Ownership
from lab.infrastructure.status import Outcome
from lab.machine import Machine
from lab.state import Lab
from provider.manifest import Manifest

PROVIDER_ID = re.compile(r"lab://([a-z0-9][a-z0-9-]*)/.+")
WORDS = {
    "absent": ("Bootstrapping", "the machine carries out its bootstrap data"),
    "running": ("Bootstrapping", "the machine carries out its bootstrap data"),
    "interrupted": ("BootstrapInterrupted", "the machine went off while it carried out its bootstrap data"),
    "failed": ("BootstrapFailed", "the bootstrap data ended without Cluster API's success marker"),
}


class NameTakenError(Exception):
    """The machine's name is somebody else's. Says whose and what to do."""


@dataclass(frozen=True)
class Instances:
    """The machines of one lab that belong to LabMachines; name and UID of the object say which is whose.

    A LabMachine that `clusterctl move` brought from another lab's management cluster keeps its machine, which stays there.
    """

    lab: Lab

    def machine(self, raw: Manifest) -> Machine:
        """The machine of a LabMachine, in the lab that its provider ID names."""
        said = PROVIDER_ID.fullmatch((raw.get("spec") or {}).get("providerID") or "")
        home = Lab(said[1]) if said else self.lab
        return (home if home.root.exists() else self.lab).machine(raw["metadata"]["name"])

    def ownership(self, machine: Machine) -> Ownership:
        """Which LabMachine has which machine of the machine's lab."""
        return Ownership(machine.lab.root / "labmachines")

    def boot(self, raw: Manifest, data: bytes) -> Outcome:
        """Make the machine and have it carry out its bootstrap data, each unless that is done; how far it is."""
        try:
            return self._told(raw, self._booted(raw, data))
        except cloudconfig.Refused as error:
            return Outcome(reason="BootstrapDataRefused", message=str(error))
        except NameTakenError as error:
            return Outcome(reason="NameTaken", message=str(error))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            return Outcome(
                reason="MachineFailed", message=f"the lab could not make the machine, and tries again: {error}"
            )

    def alive(self, raw: Manifest) -> Outcome:
        """What is to be said of a machine that was bootstrapped."""
        machine = self.machine(raw)
        if self.ownership(machine).owner(machine.name) != raw["metadata"]["uid"] or not machine.exists():
            return Outcome(
                reason="MachineGone", message="the lab's machine is gone; delete the Machine to get a new one"
            )
        if not machine.running():
            message = f"the machine is off; `lab machine create {machine.name}` starts it again"
            return Outcome(reason="MachineOff", message=message)
        return Outcome(reason="Running", ready=True, addresses=_addresses(machine))

    def end(self, raw: Manifest) -> None:
        """Machine, then claim: interrupted in between, the next pass goes on."""
        machine, uid = self.machine(raw), raw["metadata"]["uid"]
        if self.ownership(machine).owner(machine.name) == uid:
            machine.delete()
            self.ownership(machine).drop(machine.name, uid)

    def provider_id(self, raw: Manifest) -> str:
        """The same that the machine's kubelet registers its Node with."""
        return f"lab://{self._metadata(self.machine(raw))['instance_id']}"

    def _booted(self, raw: Manifest, data: bytes) -> bootstrap.Progress:
        """Refused data makes no machine."""
        machine = self.machine(raw)
        config = cloudconfig.parse(data, self._metadata(machine))
        bootstrap.check(config)
        self._claim(machine, raw)
        if not machine.running():
            machine.create()
        progress = bootstrap.look(machine)
        if progress.state == "absent":
            bootstrap.start(machine, config)
        return progress

    def _claim(self, machine: Machine, raw: Manifest) -> None:
        uid, owner = raw["metadata"]["uid"], self.ownership(machine).owner(machine.name)
        if owner not in (None, uid) and (raw.get("spec") or {}).get("providerID") == self.provider_id(raw):
            # `clusterctl move` made the object anew; that it had the machine stands in its spec.
            self.ownership(machine).hand_on(machine.name, uid)
        if machine.exists() and owner is None:
            advice = f"delete it with `lab machine delete {machine.name}`"
            raise NameTakenError(f"the lab has a machine {machine.name} that is no LabMachine: {advice}")
        if not self.ownership(machine).claim(machine.name, uid):
            advice = "delete that one, or name this one otherwise"
            raise NameTakenError(f"another LabMachine has the lab's machine {machine.name}: {advice}")

    def _told(self, raw: Manifest, progress: bootstrap.Progress) -> Outcome:
        if progress.state == "done":
            return self.alive(raw)
        machine = self.machine(raw)
        reason, message = WORDS[progress.state]
        if progress.state in ("failed", "interrupted"):
            said = f": {progress.message}" if progress.message else ""
            log = machine.root / "fs" / bootstrap.LOG.lstrip("/")
            message = f"{message}{said}; see {log}, then delete the Machine to get a new one"
        return Outcome(reason=reason, message=message, addresses=_addresses(machine))

    def _metadata(self, machine: Machine) -> dict[str, str]:
        """What `ds.meta_data` holds in templates of bootstrap data."""
        return {"instance_id": f"{machine.lab.name}/{machine.name}", "local_hostname": machine.name}


def _addresses(machine: Machine) -> tuple[tuple[str, str], ...]:
    return (("Hostname", machine.name), ("InternalIP", machine.address))
