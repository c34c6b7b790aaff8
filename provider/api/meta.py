"""Words that Kubernetes shares among kinds: object metadata, owners, conditions, selectors. Used by every kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from provider.api.definition import Definition
from provider.api.model import Model
from provider.api.schema import MAP_BY_TYPE, Int64, Timestamp
from provider.api.verdict import Invalid


class OwnerReference(Model):
    """Who owns an object (meta/v1)."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False

    @property
    def group(self) -> str:
        """The owner's API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]


class ObjectMeta(Model):
    """The metadata we read (meta/v1). `namespace` is empty for cluster-scoped objects."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Resource(Model):
    """An object with a life of its own in the API server."""

    DEFINITION: ClassVar[Definition]

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()

    @property
    def name(self) -> str:
        """Short for metadata.name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Short for metadata.namespace."""
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        """Short for metadata.uid."""
        return self.metadata.uid

    @property
    def deleting(self) -> bool:
        """Someone asked for its deletion; finalizers keep it."""
        return self.metadata.deletion_timestamp is not None


class AdditionalMetadata(Model):
    """Labels and annotations laid over ours."""

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Condition(Model):
    """One aspect of an object's state (meta/v1 Condition)."""

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Field(max_length=32768)]
    last_transition_time: Timestamp
    observed_generation: Annotated[Int64 | None, Field(ge=0)] = None


Conditions = Annotated[tuple[Condition, ...], MAP_BY_TYPE]


class LabelRequirement(Model):
    """One expression of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it, as Kubernetes reads it: a label that is absent is not in any list. Invalid: no operator."""
        value = labels.get(self.key)
        match self.operator:
            case "In" if self.values:
                return value in self.values
            case "NotIn" if self.values:
                return value not in self.values
            case "Exists" if not self.values:
                return value is not None
            case "DoesNotExist" if not self.values:
                return value is None
        raise Invalid(
            "SelectorInvalid",
            f"matchExpressions: {self.operator!r} of {self.key!r} with {len(self.values)} values means nothing:"
            " write In or NotIn with values, Exists or DoesNotExist without",
        )


class LabelSelector(Model):
    """Which objects, by their labels (meta/v1). Empty selects all."""

    match_labels: dict[str, str] = Field(default_factory=dict)
    match_expressions: tuple[LabelRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected. Invalid when an expression means nothing, whatever the labels."""
        met = [each.matches(labels) for each in self.match_expressions]
        return all(met) and all(labels.get(key) == value for key, value in self.match_labels.items())
