"""Whether `controlPlane.service.additionalPorts` can stand beside our own ports of the Service. Called by `accepted`.

The rules are those of the core/v1 Service, which would refuse the whole Service, and with it the way to the API server.
"""

from __future__ import annotations

import re

from provider.api.exposure import AdditionalPort
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid

OURS = ("kube-apiserver", "konnectivity-server")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")  # RFC 6335, section 5.1
APP_PROTOCOL = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def check(tcp: TenantControlPlane) -> None:
    """Invalid names the first port that cannot be, and what to write."""
    konnectivity = tcp.spec.addons.konnectivity
    taken = {("TCP", tcp.network.port)} | ({("TCP", konnectivity.server.port)} if konnectivity else set())
    names = set(OURS)
    for each in tcp.service.additional_ports:
        if fault := _fault(each):
            raise Invalid("AdditionalPortInvalid", f"controlPlane.service.additionalPorts: {fault}")
        if each.name in names or (each.protocol, each.port) in taken:
            raise Invalid(
                "AdditionalPortTaken",
                f"controlPlane.service.additionalPorts: name {each.name!r} or port {each.port}/{each.protocol} stands for"
                " another port of the Service already: write another",
            )
        names.add(each.name)
        taken.add((each.protocol, each.port))


def _fault(port: AdditionalPort) -> str:
    """What the API server would not take; empty when it would."""
    if not NAME.fullmatch(port.name):
        return f"name {port.name!r} is none: write at most 63 lower-case letters, digits and dashes between them"
    target = port.target_port
    if not (1 <= target <= 65535 if isinstance(target, int) else PORT_NAME.fullmatch(target)):
        return (
            f"targetPort {target!r} of {port.name} is none: write 1 to 65535, or a container port's name of at most 15"
        )
    if port.app_protocol and not APP_PROTOCOL.fullmatch(port.app_protocol):
        return f"appProtocol {port.app_protocol!r} of {port.name} is none: write one such as https or example.com/h2c"
    return ""
