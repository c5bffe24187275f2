"""Functions called with arguments: in whatever shape these are written, results compared by value."""

import asyncio

import pytest

from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import SlotPool
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(sandbox=SandboxSettings(slots=1, cpu_limit_s=2.0, wall_limit_s=20.0, memory_mib=256))
DEPTH = (
    "class Solution:\n    def f(self, root: Optional[TreeNode]) -> int:\n"
    "        return 0 if root is None else 1 + max(self.f(root.left), self.f(root.right))"
)
TURN = (
    "class Solution:\n    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        last = None\n"
    "        while head:\n            head.next, last, head = last, head, head.next\n        return last"
)
MIRROR = (
    "class Solution:\n    def f(self, root: 'TreeNode') -> 'TreeNode':\n        if root:\n"
    "            root.left, root.right = self.f(root.right), self.f(root.left)\n        return root"
)
OWN = "class ListNode:\n    def __init__(self, x):\n        self.val, self.next = x, None\n"
JOIN = (
    "class Solution:\n    def f(self, lists: List[Optional[ListNode]]) -> Optional[ListNode]:\n"
    "        values = []\n        for node in lists:\n            while node:\n"
    "                values.append(node.val); node = node.next\n        head = None\n"
    "        for value in sorted(values)[::-1]:\n            head = ListNode(value, head)\n        return head"
)
RING = "class Solution:\n    def f(self, head: ListNode) -> ListNode:\n        head.next = head\n        return head"


@pytest.fixture(scope="module")
def host():
    with asyncio.Runner() as runner:
        pool = SlotPool(SETTINGS.sandbox)
        yield runner, pool
        runner.run(pool.close())


def _check(host, program, test_case, language="python"):
    runner, pool = host
    response = f"<think>so</think>\n```{language}\n{program}\n```"
    request = VerifyRequest(id="q", category="code", prompt="", response=response, test_case=test_case)
    return runner.run(check_program(request, pool, SETTINGS))


@pytest.mark.parametrize(
    ("program", "inputs", "outputs", "outcome"),
    [
        ("def f(a, b):\n    return a + b", ["[1, 2]"], ["3"], "pass"),
        ("def f(a, b):\n    return a + b", ["1\n2"], ["3"], "pass"),
        ("def f(a):\n    return a[::-1]", ["[1, 2]"], ["[2, 1]"], "pass"),
        ("def f(a):\n    return len(a)", ["[]"], ["0"], "pass"),
        ("def f(a):\n    return a[::-1]", [[1, 2]], [[2, 1]], "fail"),
        ("def f(n):\n    return n + 1", [3], [4], "pass"),
        ("def f(n):\n    return str(n)", [[3]], ["3"], "pass"),
        ("def f(n):\n    return str(n)", ["[3]"], ["3"], "fail"),
        ("def f(n):\n    return n == 3", ["3"], ["True"], "pass"),
        ("def f(n):\n    return n == 4", ["3"], ["True"], "fail"),
        ("def f(n):\n    return {1: (1, 2)}", [[3]], [{"1": [1, 2]}], "pass"),
        ("def f(n):\n    return {2, 1}", [[3]], [[1, 2]], "pass"),
        ("def f(n):\n    pass", [[3]], ["null"], "pass"),
        ("def f(n):\n    return 1 / n", [[3]], [0.33333], "pass"),
        ("def f(n):\n    return 1 / n", [[3]], [0.3333], "fail"),
        ("from fractions import Fraction\ndef f(n):\n    return Fraction(1, 2)", [[3]], [0.5], "pass"),
        ("async def f(n):\n    return n + 1", [[3]], [4], "pass"),
        ("def f(n):\n    yield from range(n)", [[3]], [[0, 1, 2]], "pass"),
        ("def f(n):\n    return 2**n", [[200]], [2**200], "pass"),
        (DEPTH, [[[3, 9, 20, None, None, 15, 7]], [[]]], [3, 0], "pass"),
        (TURN, [[[1, 2, 3]], [[]]], [[3, 2, 1], []], "pass"),
        (TURN, [[[1, 2, 3]]], [[1, 2, 3]], "fail"),
        (OWN + TURN, ["[[1, 2, 3]]"], ["[3, 2, 1]"], "pass"),
        (MIRROR, [[[4, 2, 7, 1, None, 6]]], [[4, 7, 2, None, 6, None, 1]], "pass"),
        (JOIN, [[[[1, 4], [2], []]]], [[1, 2, 4]], "pass"),
        (RING, [[[1, 2]]], [[1, 2]], "fail"),
        ("class Solution:\n    def f(self, head):\n        return head.next", [[[1, 2]]], [[2]], "fail"),
    ],
)
def test_arguments_and_results_are_read_as_they_are_meant(host, program, inputs, outputs, outcome):
    case = {"call_type": "functional", "fn_name": "f", "inputs": inputs, "outputs": outputs}
    verdict = _check(host, program, case)
    assert verdict.outcome == outcome, verdict.detail


def test_a_program_of_the_newer_standard_compiles_too_and_the_first_error_is_told(host):
    case = {"call_type": "std", "inputs": ["3"], "outputs": ["6"]}
    newer = '#include <cstdio>\ntemplate <class T> concept Any = true;\nint main() { std::puts("6"); }'
    assert _check(host, newer, case, "cpp").outcome == "pass"
    verdict = _check(host, "int main() { nothing(); }", case, "c++")
    assert verdict.reason == "compile_error"
    assert "nothing" in verdict.detail
