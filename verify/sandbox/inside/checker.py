"""A checker says whether an output is right where several are: a Python program that is given the paths of input,
output and expected output as testlib's are, or a function `check(input, output, expected)` of their texts.
"""

import os
import sys

from reasonmill.verify.sandbox.inside import prelude
from reasonmill.verify.sandbox.inside.assertions import describe, silence

ACCEPTED, REJECTED, FAILED = 0, 1, 3  # as testlib's checkers end; 2 is its code for an output of the wrong form


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def run_checker(source: str, first_fd: int) -> int:
    """The checker's exit status; FAILED where it raised. Input, output and expected output are three descriptors."""
    paths = [f"/proc/self/fd/{fd}" for fd in range(first_fd, first_fd + 3)]
    silence()
    sys.argv = ["checker.py", *paths]
    module = prelude.module("__main__", with_names=True)
    try:
        exec(compile(source, "checker.py", "exec"), module.__dict__)
        check = module.__dict__.get("check")
        if not callable(check):
            return ACCEPTED  # a program that ended by itself
        texts = [_text(path) for path in paths]
        return ACCEPTED if check(*texts) else REJECTED
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            return (leave.code or 0) & 0xFF
        return REJECTED
    except BaseException as error:  # noqa: BLE001  # its input is hostile
        os.write(2, " ".join(describe(error)).encode("utf-8", "replace"))
        return FAILED
