"""Figures as people read them; what is no number is a dash."""

import math
from datetime import UTC, datetime
from typing import Any

DASH = "–"


def is_number(value: Any) -> bool:
    """Whether it is a finite number, True and False apart."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def count(value: Any) -> str:
    """An integer with thousands apart: 1,234,567."""
    return f"{value:,.0f}" if is_number(value) else DASH


def short(value: Any) -> str:
    """Three digits and a magnitude: 987, 1.23K, 45.6M."""
    if not is_number(value):
        return DASH
    for bound, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= bound * 0.9995:
            return f"{value / bound:.3g}{unit}" if abs(value) < 999.5 * bound else f"{value / bound:.0f}{unit}"
    if abs(value) >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * value:.{digits}f} %" if is_number(value) else DASH


def share(part: Any, whole: Any, digits: int = 1) -> str:
    """`part` of `whole` as per cent."""
    return percent(part / whole, digits) if is_number(part) and is_number(whole) and whole > 0 else DASH


def duration(seconds: Any) -> str:
    """Two units: 850 ms, 12.3 s, 4 min 05 s, 3 h 07 min, 2 d 04 h."""
    if not is_number(seconds):
        return DASH
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60:02d} h"


def clock(seconds: float) -> str:
    """A time on an axis: 0, 20 s, 1:30, 2:05 h, 3 d."""
    whole = round(seconds)
    if seconds < 60:
        return f"{seconds:g} s" if seconds else "0"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole / 86400:.3g} d"


def moment(unix_s: Any) -> str:
    """A point in time, UTC."""
    if not is_number(unix_s):
        return DASH
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def size(num_bytes: Any) -> str:
    """Bytes in binary units."""
    if not is_number(num_bytes):
        return DASH
    for bound, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if num_bytes >= bound:
            return f"{num_bytes / bound:.1f} {unit}"
    return f"{num_bytes:.0f} B"


def fixed(value: Any, digits: int = 3) -> str:
    """A number with so many decimals."""
    return f"{value:.{digits}f}" if is_number(value) else DASH
