"""What the filters of curation may find in a text, told without them. A bit that is not set is a promise that the
filter lets the text pass; one that is set promises nothing, so that without the native module all are.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import native_available
from reasonmill.kernels.texts import Texts

if native_available:
    from reasonmill.kernels import _native

CORRUPTED = 1
INCOMPLETE = 2  # a placeholder, or cut off
URL = 4
TABLE = 8
ALL = 15


def suspects(texts: Texts) -> NDArray[np.uint8]:
    """Bits of what each text may hold, uint8 [N]."""
    if native_available:
        return _native.suspects(_native.Texts(cast("list[str]", texts)))
    return np.full(len(texts), ALL, np.uint8)
