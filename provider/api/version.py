"""Rules of `spec.kubernetes.version`: its shape, which minors are hosted, and in which steps it moves.

The table of minors is `hosting/versions.toml`; its bounds stand here too, for a CRD cannot read it. A test holds them equal.
"""

from __future__ import annotations

from typing import Final

from provider.api.schema import VERSION, Rule

OLDEST: Final = 33  # of 1.33
NEWEST: Final = 37

SHAPE = Rule(f"self.matches(r'{VERSION}')", "must be a full Kubernetes version such as v1.36.3 (the v may be left out)")
MAJOR = "{}.split('.')[0].replace('v', '')"
MINOR = "int({}.split('.')[1])"
HOSTED = Rule(
    f"!self.matches(r'{VERSION}')"
    f" || ({MAJOR.format('self')} == '1' && {MINOR.format('self')} >= {OLDEST} && {MINOR.format('self')} <= {NEWEST})",
    f"is not among the versions that this release hosts: write one from v1.{OLDEST} to v1.{NEWEST}",
    shown=f"self + ' is not among the versions that this release hosts: write one from v1.{OLDEST} to v1.{NEWEST}'",
)
"""Of a version that is new or changed: one that stands is let pass by the API server, also when it is too old."""

NEW, OLD = "self.spec.kubernetes.version", "oldSelf.spec.kubernetes.version"
INSTALLED = "self.status.?kubernetesResources.?version.?version.orValue('')"
BACK = f"has(self.status) && [{NEW}, 'v' + {NEW}, {NEW}.replace('v', '', 1)].exists(each, each == {INSTALLED})"
STEP = Rule(
    f"!{NEW}.matches(r'{VERSION}') || !{OLD}.matches(r'{VERSION}') || {MAJOR.format(NEW)} == {MAJOR.format(OLD)}"
    f" && {MINOR.format(NEW)} - {MINOR.format(OLD)} in [0, 1] || {BACK}",
    "a control plane goes up one minor version at a time, and down only to the one that is installed still",
    shown=f"'cannot go from ' + {OLD} + ' to ' + {NEW}"
    " + ': a control plane goes up one minor version at a time, and down only to the one that is installed still'",
    field=".spec.kubernetes.version",
)
"""Of the whole TenantControlPlane, whose status knows what is installed."""
