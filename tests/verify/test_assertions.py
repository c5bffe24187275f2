# ruff: noqa: E501
"""Assertions that are more than calls: they run apart from the solution, which they use as if it were beside them."""

import asyncio

import pytest

from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import SlotPool
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(sandbox=SandboxSettings(slots=1, cpu_limit_s=5.0, memory_mib=256))


@pytest.fixture(scope="module")
def judge():
    with asyncio.Runner() as runner:
        pool = SlotPool(SETTINGS.sandbox)

        def judge(program, *assertions, fn_name=None, **other):
            case = {"call_type": "assert", "assert_case": list(assertions), "fn_name": fn_name, **other}
            request = VerifyRequest(
                id="q", category="code", prompt="", response=f"```python\n{program}\n```", test_case=case
            )
            return runner.run(check_program(request, pool, SETTINGS))

        yield judge
        runner.run(pool.close())


STACK = """
import collections, dataclasses, enum
class Stack:
    def __init__(self, *items): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise Empty("nothing", 3)
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __contains__(self, item): return item in self.items
    def __iter__(self): return iter(self.items)
    def __getitem__(self, index): return self.items[index]
    def __eq__(self, other): return isinstance(other, Stack) and self.items == other.items
    def __add__(self, other): return Stack(*self.items, *other.items)
    def __enter__(self): return self
    def __exit__(self, *_): self.items.clear()
class Empty(LookupError): pass
class Words(list):
    def longest(self): return max(self, key=len)
Point = collections.namedtuple("Point", "x y")
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Pair:
    left: int
    right: int = 2
LIMIT = 7
def origin(): return Point(0, 0)
def squares(n): yield from (i * i for i in range(n))
def forever():
    n = 0
    while True:
        yield n
        n += 1
def apply(function, value): return function(value)
def adder(n): return lambda m: n + m
def rotate(rows): rows[:] = [list(row) for row in zip(*rows[::-1])]
def show(text): print("<" + text + ">")
async def later(n): return n + 1
"""


@pytest.mark.parametrize(
    "assertion",
    [
        "s = Stack(1)\ns.push(2).push(3)\nassert s.pop() == 3 and len(s) == 2 and 1 in s and list(s) == [1, 2] and s[0] == 1",
        "assert Stack(1, 2) == Stack(1, 2) and Stack(1) != Stack(2) and (Stack(1) + Stack(2)).items == [1, 2]",
        "try:\n    Stack().pop()\nexcept Empty as error:\n    assert error.args == ('nothing', 3)\nelse:\n    assert False",
        "try:\n    Stack().pop()\nexcept LookupError:\n    pass\nelse:\n    raise AssertionError",
        "with Stack(1) as s:\n    assert len(s) == 1\nassert len(s) == 0",
        "w = Words(['a', 'bcd'])\nassert w.longest() == 'bcd' and len(w) == 2",
        "assert isinstance(Stack(), Stack) and not isinstance(3, Stack)",
        "p = origin()\nassert p == (0, 0) and p.x == 0 and isinstance(p, tuple) and p._replace(x=4) == (4, 0)",
        "assert Colour.RED is Colour.RED and Colour.RED.value == 1 and Colour(1) == Colour.RED",
        "assert Pair(1) == Pair(1, 2) and Pair(1).left == 1",
        "p = Pair(1)\np.left = 9\nassert p.left == 9",
        "assert LIMIT == 7",
        "assert list(squares(4)) == [0, 1, 4, 9] and sum(squares(3)) == 5",
        "import itertools\nassert list(itertools.islice(forever(), 3)) == [0, 1, 2]",
        "assert apply(lambda v: v * 2, 21) == 42 and apply(len, 'abc') == 3 and apply(sorted, [2, 1]) == [1, 2]",
        "class Own:\n    def __init__(self):\n        self.value = 5\nassert apply(lambda own: own.value, Own()) == 5",
        "assert apply(list, (n for n in [1, 2])) == [1, 2]",
        "assert adder(2)(3) == 5",
        "m = [[1, 2], [3, 4]]\nrotate(m)\nassert m == [[3, 1], [4, 2]]",
        "import asyncio\nassert asyncio.run(later(1)) == 2",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    show('x')\nassert out.getvalue() == '<x>\\n'",
        "assert adder.__name__ == 'adder'",
        "assert isclose(apply(float, '2.5'), 2.5) and Counter('aab')['a'] == 2",
    ],
)
def test_a_test_uses_the_solution_as_if_it_were_beside_it(judge, assertion):
    verdict = judge(STACK, assertion)
    assert (verdict.outcome, verdict.reason) == ("pass", "ok"), verdict


@pytest.mark.parametrize(
    ("assertion", "reason"),
    [
        ("assert list(squares(4)) == [0]", "wrong_answer"),
        ("assert Stack(1) == [1]", "wrong_answer"),
        ("assert adder(1) == 5", "wrong_answer"),
        ("assert nothing_of_that_name(1) == 5", "runtime_error"),
        ("s = Stack()\ns.missing()", "runtime_error"),
        ("assert apply(lambda v: 1 / 0, 1)", "runtime_error"),
    ],
)
def test_a_wrong_solution_fails_there_with_its_reason(judge, assertion, reason):
    assert judge(STACK, assertion).reason == reason


def test_names_mean_what_the_author_of_a_test_meant(judge):
    shadowing = "def abs(x): return 0\ndef isclose(*_): return True\ndef f(x): return 99"
    assert judge(shadowing, "assert abs(f(1) - 1) < 1e-6", fn_name="f").outcome == "fail"
    assert judge(shadowing, "assert abs(f(1) - 1) < 1e-6").outcome == "fail"
    assert judge(shadowing, "assert isclose(f(1), 1)").outcome == "fail"
    assert judge("def merge(a, b): return a + b", "assert merge([2], [1]) + [] == [2, 1]").outcome == "pass"
    assert judge("def sum(x): return 5", "assert sum([1]) + 0 == 5").outcome == "pass"
    assert judge("def sum(x): return 5", "assert sum([1]) == 5", fn_name="sum").outcome == "pass"


def test_the_check_of_human_eval_is_called_where_nobody_does(judge):
    check = "METADATA = {}\n\ndef check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3"
    assert judge("def inc(n): return n + 1", check, fn_name="inc").outcome == "pass"
    assert judge("def inc(n): return n", check, fn_name="inc").reason == "wrong_answer"
    assert judge("def inc(n): return n + 1", check).reason == "no_tests"


def test_what_only_defines_is_no_test_and_is_there_for_all(judge):
    shared = "import math\ndef close(a, b): return math.isclose(a, b, rel_tol=1e-3)"
    verdict = judge("def half(x): return x / 2", shared, "assert close(half(3), 1.5)", "assert close(half(1), 0.7)")
    assert (verdict.score, verdict.reason) == (0.5, "wrong_answer")
    assert judge("def half(x): return x / 2", "import math", "x = 1", "'text'", "pass").reason == "no_tests"


def test_a_case_after_one_that_killed_the_solution_still_counts(judge):
    program = "import os\ndef f(x):\n    if x == 1: os._exit(0)\n    return x"
    verdict = judge(program, "assert f(1) + 0 == 1", "assert f(2) + 0 == 2")
    assert (verdict.score, verdict.reason) == (0.5, "runtime_error")
    swallowed = "try:\n    f(1)\nexcept BaseException:\n    pass"
    assert judge(program, swallowed).outcome == "fail"


CHECKER = """
def check(given, output, expected):
    return sum(map(int, output.split())) == int(given)
"""


def test_a_checker_judges_where_several_outputs_are_right(judge):
    case = {"call_type": "std", "inputs": ["5", "7"], "outputs": ["1 4", "3 4"], "checker": CHECKER}
    assert judge("n = int(input())\nprint(n - 2, 2)", **case).outcome == "pass"
    assert judge("print(5)", **case).score == 0.5
    assert judge("print('no number')", **case).reason == "wrong_answer"
    assert judge("n = int(input())\nprint(n)", **{**case, "outputs": []}).outcome == "pass"
    program = "import sys\ngiven, output = (open(path).read() for path in sys.argv[1:3])\nsys.exit(given != output)"
    assert judge("print(input(), end='')", **{**case, "checker": program}).outcome == "pass"
    functional = {"call_type": "functional", "fn_name": "f", "inputs": [[4]], "outputs": [[2, 2]]}
    functional["checker"] = "import json\ndef check(g, o, e): return sum(json.loads(o)) == json.loads(g)[0]"
    assert judge("def f(n): return [1, n - 1]", **functional).outcome == "pass"
    assert judge("def f(n): return [n, n]", **functional).reason == "wrong_answer"


def test_a_checker_that_fails_on_the_expected_output_is_the_questions_fault(judge):
    case = {"call_type": "std", "inputs": ["5"], "outputs": ["1 4"], "checker": "def check(*_): return 1 / 0"}
    verdict = judge("print(5)", **case)
    assert (verdict.outcome, verdict.reason) == ("not_run", "bad_test_case")
    assert judge("print(5)", **{**case, "checker": "def check("}).reason == "bad_test_case"
    assert judge("print(5)", **{**case, "checker": 5}).reason == "bad_test_case"
