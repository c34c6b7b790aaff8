"""The kubeconfig that a KubeconfigGenerator makes for one tenant: its own user and groups, signed by the tenant's CA.

Where and whom to trust is taken from the tenant's admin kubeconfig; no credential of it is. A user or group that begins with
`system:` is refused, also when it comes out of a TenantControlPlane's fields, which whoever may label it can write.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from provider.api import kinds, names
from provider.api.kubeconfiggenerator import LABEL_LIMIT, RESERVED, SYSTEM_PREFIX, Value
from provider.api.verdict import Invalid, NotReady
from provider.hosting.generatorview import GeneratorView, Target, is_made_by, secret_names
from provider.hosting.rotation import keyring
from provider.hosting.rotation.keyring import CA
from provider.manifest import Manifest, checksum, fieldpath, kubeconfig, lifetime, meta, x509
from provider.manifest.condition import timestamp
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair, Request

NAME = "kubeconfiggenerator"
KEY = "value"
COMMON_NAME_LIMIT = 64  # bytes; RFC 5280, ub-common-name


def build(view: GeneratorView, target: Target) -> Manifest:
    """The Secret. NotReady while the tenant has no kubeconfig itself; Invalid says what of the generator cannot be met."""
    _demand_names(view, target)
    template, authority = _template(view, target), _authority(view, target)
    request = Request(
        common_name=_user(view, target),
        organizations=tuple(sorted({_group(view, target, index) for index in range(len(view.generator.spec.groups))})),
        client=True,
    )
    rendered = Kubeconfig(
        cluster=template.cluster,
        server=template.server,
        ca=template.ca,
        user=view.name,
        client=_client(view, target, request, authority),
        context=view.name,
    ).render()
    return _secret(view, target, {KEY: rendered})


def renewal(target: Target, secret: Manifest) -> datetime:
    """When the kubeconfig in a Secret that `build` made is to be made anew."""
    return x509.renewal(kubeconfig.parse(meta.decoded(secret)[KEY]).client, _early(target))


def _early(target: Target) -> float:
    """Those of one generator are not all due at once."""
    return lifetime.spread(str(target.tcp["metadata"]["uid"]))


def _demand_names(view: GeneratorView, target: Target) -> None:
    if len(view.name) > LABEL_LIMIT or view.name in RESERVED:
        raise Invalid(
            "NameInvalid",
            f"a generator called {view.name!r} cannot name Secrets: make another with at most {LABEL_LIMIT} characters in its"
            f" name, and none of {', '.join(RESERVED)}",
        )
    if target.secret is not None and not _is_ours(view, target, target.secret):
        name = target.secret["metadata"]["name"]
        raise Invalid(
            "SecretTaken",
            f"Secret {target.namespace}/{name} exists and is not this generator's for this tenant: it is left as it is;"
            " delete it, or make the generator under another name",
        )


def _is_ours(view: GeneratorView, target: Target, secret: Manifest) -> bool:
    return is_made_by(secret, view.name) and meta.labels_of(secret)[names.LABEL_MANAGED_FOR] == target.name


def _template(view: GeneratorView, target: Target) -> Kubeconfig:
    key, (secret, _) = view.generator.spec.control_plane_endpoint_from, secret_names(target.tcp)
    if not target.admin:
        raise NotReady("AdminKubeconfigMissing", "its admin kubeconfig is not made yet: see its conditions")
    if key not in target.admin:
        raise Invalid(
            "EndpointUnknown",
            f"Secret {target.namespace}/{secret} has no key {key!r}: write one of {', '.join(sorted(target.admin))}"
            " to spec.controlPlaneEndpointFrom",
        )
    try:
        return kubeconfig.parse(target.admin[key])
    except ValueError:
        raise NotReady(
            "AdminKubeconfigUnreadable",
            f"{key} in Secret {target.namespace}/{secret} is no kubeconfig: delete the Secret, it is made again",
        ) from None


def _authority(view: GeneratorView, target: Target) -> Pair:
    certificate, key = target.authority.get("ca.crt"), target.authority.get("ca.key")
    if not certificate or not key:
        raise NotReady("AuthorityMissing", "its certificate authority is not made yet: see its conditions")
    pair = Pair(certificate=certificate, key=key)
    if not x509.authority_is_usable(pair, view.now):
        raise NotReady("AuthorityUnusable", "its certificate authority cannot sign: see its conditions")
    return pair


def _user(view: GeneratorView, target: Target) -> str:
    user = _resolved("spec.user", view.generator.spec.user, target)
    if (length := len(user.encode())) > COMMON_NAME_LIMIT:
        raise Invalid(
            "UserTooLong",
            f"spec.user is {length} bytes long here, and a certificate's common name takes {COMMON_NAME_LIMIT}:"
            " choose a shorter stringValue, or a field with a shorter one",
        )
    return user


def _group(view: GeneratorView, target: Target, index: int) -> str:
    return _resolved(f"spec.groups[{index}]", view.generator.spec.groups[index], target)


def _resolved(field: str, value: Value, target: Target) -> str:
    """The text that a value stands for. Invalid names the field of the generator, never what the tenant's field holds."""
    if value.from_definition is None:
        found, source = value.string_value, f"{field}.stringValue"
    else:
        found, source = _defined(field, value.from_definition, target), f"{field}.fromDefinition"
    if not found or not found.isprintable():
        raise Invalid("ValueUnusable", f"{source} gives no text that can name anybody: write or point at a name")
    if found.startswith(SYSTEM_PREFIX):
        raise Invalid(
            "SystemName",
            f"{source} gives a name that begins with {SYSTEM_PREFIX}, which is Kubernetes' own: use a group of your own and"
            f" bind it to a role inside the tenant; {names.CLUSTER_ADMINS_GROUP} is bound to cluster-admin already",
        )
    return found


def _defined(field: str, path: str, target: Target) -> str:
    where = f"{field}.fromDefinition {path!r}"
    try:
        found = fieldpath.at(target.tcp, path)
    except ValueError:
        raise Invalid(
            "PathMalformed",
            f"{where} is no path: write names with dots between them, such as metadata.name; a dot inside a name takes a"
            r" backslash before it, as in metadata.labels.example\.com/team",
        ) from None
    except KeyError:
        raise Invalid("PathNotFound", f"{where} leads nowhere in this tenant: add the field, or name another") from None
    if not isinstance(found, str):
        raise Invalid("PathNotText", f"{where} leads to no text: name a field that holds a string")
    return found


def _client(view: GeneratorView, target: Target, request: Request, authority: Pair) -> Pair:
    """The certificate that stands while it says what is asked and nobody asked for another, else a fresh one."""
    request = replace(request, life=view.life)
    before, keys = _held(target.secret), keyring.read(CA, target.authority, {})
    end = x509.end(request, authority, view.now)
    issuers = [authority, *(Pair(certificate=each, key=b"") for each in (keys.accepted if keys else ()))]
    if (
        before
        and _rotation(target) != ""
        and any(
            x509.fits(before, request, each) and x509.in_time(before, view.now, _early(target), end=end)
            for each in issuers
        )
    ):
        return before
    return x509.issue(request, authority, view.mint, view.now)


def _held(secret: Manifest | None) -> Pair | None:
    try:
        return kubeconfig.parse(meta.decoded(secret)[KEY]).client
    except (ValueError, KeyError):
        return None


def _rotation(target: Target) -> str | None:
    return meta.annotations_of(target.secret or {}).get(names.ANNOTATION_ROTATE)


def _secret(view: GeneratorView, target: Target, data: dict[str, bytes]) -> Manifest:
    """Owned by the tenant, so that it goes with it; the generator takes it back by its label."""
    annotations = {names.ANNOTATION_CHECKSUM: checksum.of(data)}
    if (asked := _rotation(target)) is not None:
        annotations[names.ANNOTATION_ROTATE] = asked or timestamp(view.now)
    manifest = meta.new(
        kinds.SECRET,
        names.generated_kubeconfig_secret(target.name, view.name),
        target.namespace,
        labels={
            names.LABEL_MANAGED_BY: view.name,
            names.LABEL_MANAGED_FOR: target.name,
            names.LABEL_CERTIFICATE_LIFECYCLE: "kubeconfig",
        },
        annotations=annotations,
        type="Opaque",
        data=meta.secret_data(data),
    )
    return meta.owned(manifest, target.tcp)
