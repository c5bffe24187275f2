"""Names that code graders supply: solutions and tests find them without importing them."""

import builtins
import site
import sys
from types import ModuleType
from typing import Any

_SOURCE = """
from math import *
del pow  # the builtin takes three arguments
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, os, random, re
import statistics, string, sys, time
from bisect import bisect_left, bisect_right, insort, insort_left, insort_right
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from copy import deepcopy
from functools import cache, cmp_to_key, lru_cache, partial, reduce
from heapq import heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, nsmallest
from itertools import (accumulate, chain, combinations, combinations_with_replacement, count, cycle, groupby, islice,
    pairwise, permutations, product, repeat, starmap, takewhile, zip_longest)
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import *
"""
NAMES: dict[str, Any] = {}
# Both together, for code that is to find the names like builtins: copying them into a module would touch, and so copy,
# the page of each in every fork.
_BUILTINS_AND_NAMES: dict[str, Any] = {}
# what solutions and tests import themselves; not hashlib, whose library costs every fork more than it saves a few
_ALSO = "array cmath contextlib dataclasses decimal enum fractions io numbers queue traceback types"


def load() -> None:
    """Import all of it once, so that every fork has it for nothing."""
    exec(_SOURCE, NAMES)
    NAMES.pop("__builtins__", None)
    _BUILTINS_AND_NAMES.update({**vars(builtins), **NAMES})
    for name in _ALSO.split():
        __import__(name)
    site.setquit()  # exit() and quit(), which python -S leaves out


def module(name: str, *, with_names: bool) -> ModuleType:
    """A new, registered module, that finds the names or Python's builtins alone."""
    made = ModuleType(name)
    made.__dict__["__builtins__"] = _BUILTINS_AND_NAMES if with_names else builtins
    sys.modules[name] = made
    return made
