"""YAML as it stands in the objects we make: keys sorted, block style, so that the same content is the same text.

By libyaml, which the wheel brings: a pass writes and reads a dozen documents, which took PyYAML's own code three quarters of
the time that building takes (12 of 16 ms).
"""

from __future__ import annotations

from typing import Any

import yaml

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def written(document: object) -> str:
    """The document as text that ends with a newline."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=True, default_flow_style=False))


def read(text: str | bytes) -> Any:
    """What the text says. yaml.YAMLError when it is no YAML."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
