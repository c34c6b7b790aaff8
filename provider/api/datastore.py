"""DataStore: a database that holds the state of many tenants, as upstream Kamaji spells it. Read and kept by hosting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api import kinds
from provider.api.definition import AGE, Column, Definition
from provider.api.meta import Conditions, Resource
from provider.api.model import Model
from provider.api.schema import ATOMIC, REQUIRED, Bytes, Int64, Rule, Timestamp, immutable

Driver = Literal["etcd", "MySQL", "PostgreSQL", "NATS"]


def _given(path: str) -> str:
    """CEL: the ContentRef at `path` has content or names a Secret."""
    return f"((has({path}.content) && size({path}.content) > 0) || has({path}.secretReference))"


def _etcd(needed: str) -> str:
    return f"self.driver != 'etcd' || ({needed})"


def _sql(parent: str, needed: str) -> str:
    return f"self.driver == 'etcd' || !has({parent}) || {needed}"


class SecretReference(Model):
    """A key of a Secret; `keyPath` is the key."""

    key_path: Annotated[str, Field(min_length=1)]
    name: str | None = None
    namespace: str | None = None


class ContentRef(Model):
    """Bytes, here (base64) or in a Secret; those that are here win where both are given."""

    content: Bytes | None = None
    secret_reference: Annotated[SecretReference | None, ATOMIC] = None


class KeyPair(Model):
    """A certificate and its private key (PEM)."""

    certificate: ContentRef
    private_key: ContentRef


class Authority(Model):
    """A certificate authority (PEM); its key signs the tenants' client certificates."""

    certificate: ContentRef
    private_key: ContentRef | None = None


class TLSConfig(Model):
    """How the datastore is known, and how we are known to it."""

    certificate_authority: Authority
    client_certificate: KeyPair | None = None


class BasicAuth(Model):
    """A user name and a password."""

    username: ContentRef
    password: ContentRef


class DataStoreSpec(Model):
    """Where the datastore is and how to get in."""

    RULES = (
        Rule(
            _etcd(
                "has(self.tlsConfig) && has(self.tlsConfig.certificateAuthority.privateKey)"
                f" && {_given('self.tlsConfig.certificateAuthority.privateKey')}"
            ),
            "driver etcd: tlsConfig.certificateAuthority.privateKey needs content or secretReference",
        ),
        *(
            Rule(
                _etcd(
                    "has(self.tlsConfig) && has(self.tlsConfig.clientCertificate)"
                    f" && {_given(f'self.tlsConfig.clientCertificate.{part}')}"
                ),
                f"driver etcd: tlsConfig.clientCertificate.{part} needs content or secretReference",
            )
            for part in ("certificate", "privateKey")
        ),
        Rule(
            "self.driver == 'etcd' || !has(self.tlsConfig) || !has(self.tlsConfig.clientCertificate)"
            f" || {_given('self.tlsConfig.clientCertificate.certificate')}",
            "tlsConfig.clientCertificate.certificate needs content or secretReference",
        ),
        *(
            Rule(
                _sql("self.basicAuth", _given(f"self.basicAuth.{part}")),
                f"basicAuth.{part} needs content or secretReference",
            )
            for part in ("username", "password")
        ),
        Rule(
            "self.driver != 'etcd' || !has(self.basicAuth)",
            "driver etcd: basicAuth has no effect, for the certificate of tlsConfig.clientCertificate logs in: remove it",
            field=".basicAuth",
        ),
        Rule(
            "self.driver == 'etcd' || has(self.tlsConfig) || has(self.basicAuth)",
            "a driver other than etcd needs tlsConfig or basicAuth",
        ),
    )

    driver: Annotated[Driver, immutable("driver")]
    endpoints: Annotated[
        tuple[str, ...], Field(min_length=1, description="host:port of each member, without a scheme.")
    ]
    tls_config: TLSConfig | None = None
    basic_auth: BasicAuth | None = None


class Load(Model):
    """How full it is, in bytes. Told anew when it moved by a tenth and by more than 16 MiB, so that a quiet store is quiet."""

    size: Annotated[Int64, Field(description="What it takes on disk.")] = 0
    in_use: Annotated[Int64, Field(description="What of that holds something.")] = 0
    quota: Annotated[Int64, Field(description="Where it takes no more; 0: it says none.")] = 0
    tenants: Annotated[int, Field(description="Control planes some of whose state it holds.")] = 0


class Orphan(Model):
    """A keyspace in it of no TenantControlPlane of this management cluster. It may be another management cluster's."""

    name: str = ""
    user: str = ""
    keys: Annotated[Int64 | None, Field(description="Absent where they could not be counted.")] = None


class DataStoreStatus(Model):
    """Whether it answers, and who uses it (`namespace/name`). What is ours: from version on."""

    ready: Annotated[bool, Field(json_schema_extra={REQUIRED: True, "default": None})] = False
    used_by: tuple[str, ...] = ()
    conditions: Conditions = ()
    observed_generation: Int64 | None = None
    version: Annotated[str | None, Field(description="What its server says it is.")] = None
    cluster_id: Annotated[
        str | None, Field(alias="clusterID", description="etcd's own number: two DataStores may lead to one etcd.")
    ] = None
    last_restored: Annotated[
        Timestamp | None, Field(description="When its data was last seen to be an older state or another cluster's.")
    ] = None
    last_unguarded: Annotated[
        Timestamp | None, Field(description="When etcd's auth was last found off; it was switched on again.")
    ] = None
    authorities: Annotated[
        str | None, Field(description="Fingerprint of those it names: its tenants look at it when that changes.")
    ] = None
    load: Load | None = None
    orphans: Annotated[
        tuple[Orphan, ...], Field(description="Erased when an annotation names them, and never else.")
    ] = ()


class DataStore(Resource):
    """A database that holds the state of many tenants."""

    DEFINITION = Definition(
        kind=kinds.DATA_STORE,
        columns=(Column("Driver", "string", ".spec.driver"), Column("Ready", "boolean", ".status.ready"), AGE),
    )

    kind: Literal["DataStore", ""] = ""
    spec: DataStoreSpec
    status: DataStoreStatus = DataStoreStatus()
