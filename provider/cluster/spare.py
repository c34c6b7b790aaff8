"""Of the package `kubernetes` we use `aio`. Its own __init__ imports all the rest too.

Called by whoever starts a process, before the first import of it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def imports() -> None:
    """Let it be a package of which nothing is imported but what is asked for."""
    spec = importlib.util.find_spec("kubernetes")
    if spec is not None and spec.name not in sys.modules:
        package = sys.modules[spec.name] = ModuleType(spec.name)
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__spec__ = spec
