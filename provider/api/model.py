"""The base of every API kind: a frozen pydantic model, camelCase outside, snake_case inside.

What the API server stores is already pruned, defaulted and validated by the CRD that `api.crd` makes from these models;
so parsing forgives unknown fields, and defaults here are the CRD's, valid where the parent object is present.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from provider.api.schema import Rule, with_rules
from provider.api.verdict import Invalid

# Words that upstream writes in capitals, except at the start of a name: `coreDNS`, but `dnsServiceIPs`.
CAPITALS = {"dns": "DNS", "ca": "CA", "sans": "SANs", "ip": "IP", "ips": "IPs", "json": "JSON", "uds": "UDS"}


def camel(name: str) -> str:
    """The name of a field as upstream spells it: `cert_sans` → `certSANs`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(CAPITALS.get(word, word.capitalize()) for word in rest)


class Model(BaseModel):
    """An object of an API kind. `RULES` are CEL rules the API server holds it to."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=camel, populate_by_name=True)
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def parse(cls, manifest: dict[str, Any]) -> Self:
        """The model of a parsed JSON object. Raises Invalid, which names each field but no value: values may be secret."""
        try:
            return cls.model_validate(manifest)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
            said = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
            raise Invalid("Malformed", f"{cls.__name__} cannot be read: {said}") from None

    @model_validator(mode="before")
    @classmethod
    def _emptied(cls, said: Any) -> Any:
        """A block whose last field an apply took away is stored as null (`crd` lets it): it says what an absent one says."""
        if not isinstance(said, dict) or None not in said.values():
            return said
        blocks = {field.alias for field in cls.model_fields.values() if isinstance(field.default, Model)}
        return {key: value for key, value in said.items() if value is not None or key not in blocks}

    def manifest(self) -> dict[str, Any]:
        """The JSON object again: camelCase, only what was set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        with_rules(handler.resolve_ref_schema(reference), cls.RULES)
        return reference
