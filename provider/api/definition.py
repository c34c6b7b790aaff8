"""What a CustomResourceDefinition says about a kind beside its schema: names, columns, scale, labels. Read by `api.crd`."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. `type` is string, boolean, integer or date; `path` a JSON path."""

    name: str
    type: str
    path: str
    priority: int = 0


AGE = Column("Age", "date", ".metadata.creationTimestamp")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where `kubectl scale` and autoscalers find the numbers."""

    spec: str
    status: str
    selector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """A version before the one that is stored: served with the same schema, so that nothing has to convert between them."""

    name: str
    columns: tuple[Column, ...] = (AGE,)
    warning: str = ""  # what an API server tells clients that use it


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """How a kind is served: one version that is stored, older ones beside it. Without `status` it has no status subresource."""

    kind: Kind
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (AGE,)
    scale: Scale | None = None
    status: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    older: tuple[Older, ...] = ()

    @property
    def name(self) -> str:
        """The CRD's own name."""
        return f"{self.kind.plural}.{self.kind.group}"
