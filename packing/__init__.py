"""Chat to tokens and loss mask, row planning, streaming packer, packed datasets.

`pack_lengths(lengths, capacity) -> Plan` is the planner; NumPy and the native module load when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasonmill.packing.planner import Plan, pack_lengths

__all__ = ["Plan", "pack_lengths"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from reasonmill.packing import planner

    return getattr(planner, name)
