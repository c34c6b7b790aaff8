"""The chart's templates, out of the manifests of config/: where a value goes, a mark is put and then replaced by Helm's words.

Nothing of a manifest is written here again but the keys that it does not have. CRDs, alerts and dashboards are not templates at
all: the chart has them as files, by links into config/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from config.chart.values import CONFIG, DEPLOYMENT, VARIABLES

Manifest = dict[str, Any]
HEAD = "{{- /* Made from config/ by `make generate`; edit there. */ -}}\n"
HERE = "kamaji-system"
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
    return {"rbac.yaml": rbac(), "deployment.yaml": deployment(), **OTHERS}


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
    template = document["spec"]["template"]
    template["metadata"] |= {"annotations": "@with podAnnotations@"}
    template["metadata"]["labels"]["podLabels"] = "@line podLabels@"
    pod = template["spec"]
    pod |= {"securityContext": "@block podSecurityContext@"}
    pod |= {each: f"@with {each}@" for each in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity")}
    pod["priorityClassName"] = "@with priorityClassName@"
    (manager,) = pod["containers"]
    manager["image"] = "@value .Values.image.repository@:@value .Values.image.tag | default .Chart.AppVersion@"
    manager["imagePullPolicy"] = "@value .Values.image.pullPolicy@"
    manager["args"].append("@items extraArgs@")
    manager["env"].append("@settings settings@")
    blocks = ("startupProbe", "livenessProbe", "readinessProbe", "resources", "securityContext")
    manager |= {each: f"@block {each}@" for each in blocks}
    return HEAD + _written([document])


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

`helm uninstall` takes the provider away and nothing else: CRDs stay, and tenants go on serving. Delete tenants first if they
shall go, too.
"""
OTHERS = {"crds.yaml": CRDS, "monitoring.yaml": MONITORING, "statuspage.yaml": STATUS_PAGE, "NOTES.txt": NOTES}
