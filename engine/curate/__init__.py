"""Queries in, clean queries out: filters, deduplication, decontamination, each removal with its evidence."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasonmill.engine.curate.duplicates import near_duplicates

__all__ = ["near_duplicates"]


def __getattr__(name: str) -> Any:
    # on first use: settings are imported from here by everything that reads a recipe, and need no NumPy
    if name == "near_duplicates":
        from reasonmill.engine.curate.duplicates import near_duplicates

        return near_duplicates
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
