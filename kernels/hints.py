"""Which bytes texts hold at all: what saves most texts the slower looks of the filters. Native where available."""

import re
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import native_available
from reasonmill.kernels.texts import Texts, as_strings

if native_available:
    from reasonmill.kernels import _native

CONTROL = 1  # an ASCII control other than tab, newline and carriage return
NON_ASCII = 2
PIPE = 4
LESS = 8
TAB = 16
PLUS = 32
BACKSLASH = 64
SLASH_OR_WWW = 128  # a slash, or two letters w in a row
ALL = 255

_BITS = (
    (CONTROL, re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")),
    (NON_ASCII, re.compile(r"[^\x00-\x7f]")),
    (PIPE, re.compile(r"\|")),
    (LESS, re.compile("<")),
    (TAB, re.compile("\t")),
    (PLUS, re.compile(r"\+")),
    (BACKSLASH, re.compile(r"\\")),
    (SLASH_OR_WWW, re.compile("/|[wW]{2}")),
)


def hints(texts: Texts) -> NDArray[np.uint8]:
    """Bits of what each text holds, uint8 [N]."""
    if native_available:
        return _native.hints(_native.Texts(cast("Sequence[str]", texts)))
    return np.array([sum(bit for bit, form in _BITS if form.search(text)) for text in as_strings(texts)], np.uint8)
