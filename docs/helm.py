"""docs/helm.md: how to install by Helm, and every value of the chart, out of the table that its files are made from."""

from __future__ import annotations

import json
from typing import Any

from config.chart.values import VALUES, Value, schema

HEAD = """# Helm

Made from `config/chart/values.py` by `make generate`. The chart `charts/capi-kamaji` is made from `config/` and renders the
same, but for the namespace, which is the release's.

```sh
helm install kamaji charts/capi-kamaji --namespace kamaji-system --create-namespace
kubectl get datastores
```

- **CRDs are upgraded** by `helm upgrade` like all else: they are templates, not in Helm's `crds/`, which it installs once and
  never looks at again. They carry `helm.sh/resource-policy: keep`, so `helm uninstall` leaves them.
- **`helm uninstall` says no while there are tenants**: a Job that may list them and nothing else names them, and what has to
  go first. Helm 4 prints that, an older one leaves it in `kubectl logs job/kamaji-uninstall`. Helm calls the release
  `uninstalling` from then on and upgrades it no more until it is taken back: `helm rollback RELEASE REVISION`, as the Job says.
  What else has to go, and in which order, `kamaji uninstall` knows ([command-line.md](command-line.md)).
  `helm uninstall --no-hooks` does not ask: CRDs, tenants and stores stay, tenants are served on, and nobody can repair or
  delete them until the chart is installed again under the same name, which takes them up.
- **From another installation** (`make install`, plain YAML): `helm install … --take-ownership --force-conflicts` once. What
  clusterctl installed, clusterctl upgrades: do not mix the two.
- **Who rolls CRDs out by other means** sets `crds.install=false`.
- **The status page** is on with `settings.statusPagePort: 8082`, and has its rights then: [status-page.md](status-page.md).
- **Monitoring** needs the kinds of the Prometheus operator, so it is off by default: [metrics.md](metrics.md).

Values that upstream Kamaji's chart has too are called the same. What the table does not name is refused, with the path that is
wrong.

| value | default | type | what it does |
|---|---|---|---|
"""


def page() -> str:
    """The whole file."""
    return (
        HEAD
        + "".join(_row(each) for each in VALUES)
        + "\nUnder `settings`, with their types (what each does: [settings.md](settings.md)):\n\n"
        + _settings()
    )


def _row(value: Value) -> str:
    default = json.dumps(value.default) if not isinstance(value.default, str) else value.default or '""'
    long = isinstance(value.default, dict) and len(default) > 50
    told = "as in `config/manager`" if long else f"`{default}`"
    return f"| `{value.path}` | {told} | {_type(value.schema)} | {value.help} |\n"


def _settings() -> str:
    known: dict[str, Any] = schema()["properties"]["settings"]["properties"]
    return ", ".join(f"`{name}` ({_type(each)})" for name, each in known.items()) + ".\n"


def _type(said: dict[str, Any]) -> str:
    return str(said.get("type") or " or ".join(said["enum"]))
