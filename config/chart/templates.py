"""The chart's templates, out of the manifests of config/: where a value goes, a mark is put and then replaced by Helm's words.

Nothing of a manifest is written here again but the keys that it does not have. CRDs, alerts and dashboards are not templates at
all: the chart has them as files, copied from config/. What only Helm needs is the look before a release goes (`uninstall`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from config.chart.values import CONFIG, DEPLOYMENT, VARIABLES
from provider.api.kinds import Kind
from provider.overview.leaving import TENANTS

Manifest = dict[str, Any]
HEAD = "{{- /* Made from config/ by `make generate`; edit there. */ -}}\n"
HERE = "kamaji-system"
GUARD = "kamaji-uninstall"
GUARDING = [
    "uninstall",
    "--release=@value .Release.Namespace@/@value .Release.Name@",
    "--revision=@value .Release.Revision@",
]
WHOLE = re.compile(r"^(?P<indent> *)(?P<key>[\w.]+): '?@(?P<how>block|with|line) (?P<path>[\w.]+)@'?$", re.MULTILINE)
ITEMS = re.compile(r"^(?P<indent> *)- '?@(?P<how>items|settings) (?P<path>[\w.]+)@'?$", re.MULTILINE)
VARIABLE = re.compile(r"\$\{(\w+):=[^}]*\}")
INLINE = re.compile(r"'?@value ([^@]+)@'?")
SETTINGS = """{i}{{{{- if ne .Values.defaultDatastoreName "default" }}}}
{i}- name: KAMAJI_DEFAULT_DATASTORE
{i}  value: {{{{ .Values.defaultDatastoreName | quote }}}}
{i}{{{{- end }}}}
{i}{{{{- range $name, $value := .Values.settings }}}}
{i}- name: KAMAJI_{{{{ $name | snakecase | upper }}}}
{i}  value: {{{{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}}
{i}{{{{- end }}}}"""


def made() -> dict[str, str]:
    """File name → text."""
    return {"rbac.yaml": rbac(), "deployment.yaml": deployment(), "uninstall.yaml": uninstall(), **OTHERS}


def rbac() -> str:
    """All rights, and the ServiceAccounts."""
    documents = [each for file in sorted((CONFIG / "rbac").glob("*.yaml")) for each in _documents(file)]
    for each in documents:
        if (each["kind"], each["metadata"]["name"]) == ("ServiceAccount", DEPLOYMENT["metadata"]["name"]):
            each["metadata"]["annotations"] = "@with serviceAccount.annotations@"
    return HEAD + _written(documents)


def deployment() -> str:
    """The provider itself."""
    document = deepcopy(DEPLOYMENT)
    document["spec"]["replicas"] = "@value .Values.replicaCount@"
    manager = _pod(document["spec"]["template"])
    manager["args"].append("@items extraArgs@")
    manager["env"].append("@settings settings@")
    manager |= {each: f"@block {each}@" for each in ("startupProbe", "livenessProbe", "readinessProbe")}
    return HEAD + _written([document])


def uninstall() -> str:
    """What says no to `helm uninstall` while there are tenants: a Job before it, of the provider's image, that lists them."""
    template = deepcopy(DEPLOYMENT["spec"]["template"])
    template["metadata"]["labels"] = {"app.kubernetes.io/name": GUARD}
    container = _pod(template)
    for each in ("env", "ports", "startupProbe", "livenessProbe", "readinessProbe"):
        del container[each]
    container |= {"name": "uninstall", "args": GUARDING}
    template["spec"] |= {"serviceAccountName": GUARD, "restartPolicy": "Never"}
    limits = {"backoffLimit": 0, "activeDeadlineSeconds": 240, "ttlSecondsAfterFinished": 3600}
    subject = {"kind": "ServiceAccount", "name": GUARD, "namespace": HERE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": GUARD}
    rights = "rbac.authorization.k8s.io/v1"
    documents = [
        _hook("v1", "ServiceAccount", {}),
        _hook(rights, "ClusterRole", {"rules": [_listing(each) for each in TENANTS]}),
        _hook(rights, "ClusterRoleBinding", {"roleRef": role, "subjects": [subject]}),
        _hook("batch/v1", "Job", {"spec": {**limits, "template": template}}),
    ]
    return HEAD + _written(documents)


def _hook(version: str, kind: str, more: Manifest) -> Manifest:
    """Made before the release goes, and deleted when it may. A Job that said no stays, for its log; helm 4 prints that."""
    job = kind == "Job"
    annotations = {
        "helm.sh/hook": "pre-delete",
        "helm.sh/hook-weight": "0" if job else "-1",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        **({"helm.sh/hook-output-log-policy": "hook-failed"} if job else {}),
    }
    within = {} if kind.startswith("Cluster") else {"namespace": HERE}
    metadata = {"name": GUARD, **within, "annotations": annotations}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _listing(kind: Kind) -> Manifest:
    return {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ["list"]}


def _pod(template: Manifest) -> Manifest:
    """A pod of the provider's image, as the values want it; its container."""
    template["metadata"] |= {"annotations": "@with podAnnotations@"}
    template["metadata"]["labels"]["podLabels"] = "@line podLabels@"
    pod = template["spec"]
    pod |= {"securityContext": "@block podSecurityContext@"}
    pod |= {each: f"@with {each}@" for each in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity")}
    pod["priorityClassName"] = "@with priorityClassName@"
    container: Manifest
    (container,) = pod["containers"]
    container["image"] = "@value .Values.image.repository@:@value .Values.image.tag | default .Chart.AppVersion@"
    container["imagePullPolicy"] = "@value .Values.image.pullPolicy@"
    container |= {each: f"@block {each}@" for each in ("resources", "securityContext")}
    return container


def _documents(file: Path) -> Iterable[Manifest]:
    return (each for each in yaml.safe_load_all(file.read_text()) if each)


def _written(documents: list[Manifest]) -> str:
    placed = [_placed(each) for each in documents]
    text = yaml.safe_dump_all(placed, sort_keys=False, width=10_000)
    text = ITEMS.sub(_items, WHOLE.sub(_whole, text))
    return INLINE.sub(lambda found: f"{{{{ {found[1]} }}}}", text)


def _placed(manifest: Any) -> Any:
    """In the release's namespace, with values for clusterctl's variables. KeyError for one that has none."""
    if isinstance(manifest, dict):
        return {key: _placed(value) for key, value in manifest.items()}
    if isinstance(manifest, list):
        return [_placed(each) for each in manifest]
    if manifest == HERE:
        return "@value .Release.Namespace@"
    return VARIABLE.sub(_variable, manifest) if isinstance(manifest, str) else manifest


def _variable(found: re.Match[str]) -> str:
    return f"@value .Values.{VARIABLES[found[1]]}@"


def _whole(found: re.Match[str]) -> str:
    """A key whose value is a value of the chart: always, or where there is one."""
    indent, key, path = found["indent"], found["key"], found["path"]
    deeper = f"| nindent {len(indent) + 2} }}}}"
    match found["how"]:
        case "block":
            return f"{indent}{key}:\n{indent}  {{{{- toYaml .Values.{path} {deeper}"
        case "line":
            return _more(indent, path)
        case _:
            lines = (f"{{{{- with .Values.{path} }}}}", f"{key}:", f"  {{{{- toYaml . {deeper}", "{{- end }}")
            return "\n".join(f"{indent}{each}" for each in lines)


def _items(found: re.Match[str]) -> str:
    """More items of a list."""
    indent, path = found["indent"], found["path"]
    if found["how"] == "settings":
        return SETTINGS.format(i=indent)
    return _more(indent, path)


def _more(indent: str, path: str) -> str:
    lines = (f"{{{{- with .Values.{path} }}}}", f"{{{{- toYaml . | nindent {len(indent)} }}}}", "{{- end }}")
    return "\n".join(f"{indent}{each}" for each in lines)


CRDS = (
    HEAD
    + r"""{{- if .Values.crds.install }}
{{- range $path, $_ := .Files.Glob "files/crd/*.yaml" }}
---
{{ $.Files.Get $path | replace "\nmetadata:\n" "\nmetadata:\n  annotations: {helm.sh/resource-policy: keep}\n" }}
{{- end }}
{{- end }}
"""
)
MONITORING = (
    HEAD
    + """{{- if .Values.podMonitor.enabled }}
{{- $monitor := .Files.Get "files/prometheus/podmonitor.yaml" | fromYaml }}
{{- $_ := set $monitor.metadata "namespace" .Release.Namespace }}
{{- $_ := set $monitor.metadata "labels" (merge (deepCopy .Values.podMonitor.labels) $monitor.metadata.labels) }}
{{- range $monitor.spec.podMetricsEndpoints }}
{{- $_ := set . "interval" $.Values.podMonitor.interval }}
{{- end }}
---
{{ toYaml $monitor }}
{{- end }}
{{- if .Values.prometheusRule.enabled }}
{{- $rule := .Files.Get "files/prometheus/rules.yaml" | fromYaml }}
{{- $_ := set $rule.metadata "namespace" .Release.Namespace }}
{{- $_ := set $rule.metadata "labels" (merge (deepCopy .Values.prometheusRule.labels) $rule.metadata.labels) }}
---
{{ toYaml $rule }}
{{- end }}
{{- if .Values.dashboards.enabled }}
{{- range $path, $_ := .Files.Glob "files/grafana/*.json" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: kamaji-dashboard-{{ base $path | trimSuffix ".json" }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- toYaml $.Values.dashboards.labels | nindent 4 }}
data:
  kamaji-{{ base $path }}: {{ $.Files.Get $path | toJson }}
{{- end }}
{{- end }}
"""
)
STATUS_PAGE = (
    HEAD
    + """{{- if .Values.settings.statusPagePort }}
{{ .Files.Get "files/statuspage/rbac.yaml" | replace "namespace: kamaji-system" (printf "namespace: %s" .Release.Namespace) }}
{{- end }}
"""
)
NOTES = """The provider runs in namespace {{ .Release.Namespace }}.

  kubectl get datastores        # `default`: an etcd that it makes and runs
  kubectl get tcp -A            # your TenantControlPlanes

`helm uninstall` says no while there are tenants, and names them; CRDs stay when it says yes. `--no-hooks` does not ask, and
leaves tenants that are served and that nobody looks after.
"""
OTHERS = {"crds.yaml": CRDS, "monitoring.yaml": MONITORING, "statuspage.yaml": STATUS_PAGE, "NOTES.txt": NOTES}
