"""The kinds of source there are: every module of this package that holds an adapter, found by itself."""

import importlib
import inspect
import pkgutil
from functools import cache

from bridge.sources.base import Source


@cache
def kinds() -> dict[str, type[Source]]:
    """Adapter classes by kind, in alphabetical order."""
    found: dict[str, type[Source]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for _, adapter in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(adapter, Source) and not inspect.isabstract(adapter):
                found[adapter.kind] = adapter
    return dict(sorted(found.items()))
