"""Programs judged against tests, in the real sandbox."""

import asyncio

import pytest

from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import Slot, SlotPool
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(
    sandbox=SandboxSettings(slots=1, cpu_limit_s=1.0, wall_limit_s=20.0, memory_mib=256, compile_cpu_limit_s=20.0)
)
ADD = {"call_type": "assert", "fn_name": "add", "assert_case": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]}
ECHO = {"call_type": "std", "inputs": ["1\n", "2\n"], "outputs": ["1", "2\n"]}


@pytest.fixture(scope="module")
def host():
    with asyncio.Runner() as runner:
        pool = SlotPool(SETTINGS.sandbox)
        yield runner, pool
        runner.run(pool.close())


def _check(host, program, test_case, language="python"):
    runner, pool = host
    request = VerifyRequest(
        id="q",
        category="code",
        prompt="",
        response=f"<think>so</think>\n```{language}\n{program}\n```",
        test_case=test_case,
    )
    return runner.run(check_program(request, pool, SETTINGS))


def test_a_right_program_passes_its_assertions(host):
    verdict = _check(host, "def add(a, b):\n    return a + b", ADD)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("pass", 1.0, "ok")
    assert verdict.duration_s > 0


def test_the_score_is_the_share_of_passed_tests(host):
    verdict = _check(host, "def add(a, b):\n    return 3", ADD)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("fail", 0.5, "wrong_answer")


def test_nine_of_ten_pass_and_only_the_first_ten_count(host):
    asserts = [f"assert same({n}) == {n}" for n in range(12)]
    case = {"call_type": "assert", "assert_case": asserts}
    verdict = _check(host, "def same(n):\n    return -1 if n in (3, 10, 11) else n", case)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("pass", 0.9, "ok")


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "raise SystemExit(0)",
        "import os\ndef add(a, b):\n    os._exit(0)",
        "def add(a, b):\n    raise SystemExit",
        "def add(a, b):\n    print('3')\n    print('ok')",
        "import builtins\nbuiltins.exec = lambda *_: None\ndef add(a, b):\n    return 0",
        "import os, json\nos.write = json.dumps = lambda *_: b''\ndef add(a, b):\n    return 0",
        "import os\ndef add(a, b):\n    os.write(2, b'x'); os.kill(os.getpid(), 9)",
        "import os\nfor fd in range(3, 64):\n"
        '    try: os.write(fd, b\'{"case": 0, "token": "x"}\\n{"case": true}\\n{"bad": ["Error", ""]}\\n[]\\n\')\n'
        "    except OSError: pass\nos._exit(0)",
    ],
)
def test_leaving_early_printing_and_forging_earn_nothing(host, program):
    verdict = _check(host, program, ADD)
    assert (verdict.outcome, verdict.score) == ("fail", 0.0)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def add(a, b) return", "compile_error"),
        ("def other(): pass", "runtime_error"),
        ("import nothing_of_that_name", "runtime_error"),
        ("def add(a, b):\n    return a + c", "runtime_error"),
        ("def add(a, b):\n    return bytearray(2**31)", "memory_limit"),
        ("def add(a, b):\n    while True: pass", "time_limit"),
        ("def add(a, b):\n    import ctypes\n    ctypes.string_at(0)", "runtime_error"),
    ],
)
def test_a_failure_has_its_reason(host, program, reason):
    assert _check(host, program, ADD).reason == reason


def test_a_test_after_one_that_killed_the_process_still_counts(host):
    program = "import os\ndef add(a, b):\n    if b == 2 and a == 1: os.abort()\n    return a + b"
    verdict = _check(host, program, ADD)
    assert (verdict.score, verdict.reason) == (0.5, "runtime_error")


def test_slow_tests_each_have_the_whole_limit(host):
    program = (
        "import time\ndef add(a, b):\n    end = time.process_time() + 0.6\n"
        "    while time.process_time() < end: pass\n    return a + b"
    )
    assert _check(host, program, ADD).score == 1.0


def test_a_program_that_hangs_is_not_run_on_every_test(host, monkeypatch):
    runs = []
    run = Slot.run

    async def counted(slot, job, **attached):
        runs.append(job["kind"])
        return await run(slot, job, **attached)

    monkeypatch.setattr(Slot, "run", counted)
    case = {"call_type": "std", "inputs": ["1"] * 10, "outputs": ["1"] * 10}
    verdict = _check(host, "while True: pass", case)
    assert (verdict.score, verdict.reason) == (0.0, "time_limit")
    assert runs == ["program"] * SETTINGS.max_time_limits


def test_standard_input_and_output(host):
    assert _check(host, "print(int(input()))", ECHO).score == 1.0
    assert _check(host, "print(1)", ECHO).score == 0.5
    assert _check(host, "import sys\nprint(1)\nsys.exit(1)", ECHO).reason == "runtime_error"
    assert _check(host, "while True: print('x' * 10**6)", ECHO).reason == "output_limit"
    assert _check(host, "x = [0] * 10**9", ECHO).reason == "memory_limit"


def test_functions_are_called_and_their_values_compared_outside(host):
    case = {"call_type": "functional", "fn_name": "pair", "inputs": [[1, 2], [3, 4]], "outputs": [[1, 2], [3, 4]]}
    assert _check(host, "def pair(a, b):\n    return a, b", case).score == 1.0
    assert (
        _check(
            host, "class Solution:\n    def pair(self, a: int, b: int) -> List[int]:\n        return [a, b]", case
        ).score
        == 1.0
    )
    assert _check(host, "def pair(a, b):\n    return [1, 2]", case).score == 0.5
    assert _check(host, "def other(a, b):\n    return [1, 2]", case).reason == "runtime_error"


def test_a_fresh_solution_object_serves_each_case(host):
    case = {"call_type": "functional", "fn_name": "next", "inputs": [[], []], "outputs": [1, 1]}
    program = (
        "class Solution:\n    def __init__(self):\n        self.n = 0\n"
        "    def next(self):\n        self.n += 1\n        return self.n"
    )
    assert _check(host, program, case).score == 1.0


def test_expected_outputs_are_not_in_the_sandbox(host):
    secret = "cc3f0d3b-expected"
    case = {"call_type": "functional", "fn_name": "steal", "inputs": [[]], "outputs": [secret]}
    program = (
        "import gc, sys\n"
        "def steal():\n"
        "    found = [o for o in gc.get_objects() if 'cc3f0d3b' + '-expected' in str(o)[:10**6]]\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n"
        "        found += [v for v in frame.f_locals.values() if isinstance(v, str) and v.startswith('cc3f')]\n"
        "        frame = frame.f_back\n"
        "    return found[0] if found else None"
    )
    assert _check(host, program, case).outcome == "fail"


def test_the_usual_imports_are_there_for_solutions_but_not_for_programs(host):
    case = {"call_type": "functional", "fn_name": "f", "inputs": [[[3, 1, 2]]], "outputs": [1]}
    assert _check(host, "def f(a: List[int]) -> int:\n    heapify(a)\n    return heapq.heappop(a)", case).score == 1.0
    assert _check(host, "print(math.floor(1))", ECHO).reason == "runtime_error"


def test_a_dataclass_and_a_pickle_find_their_module(host):
    program = (
        "from dataclasses import dataclass\nimport pickle\n@dataclass\nclass P:\n    x: int\n"
        "def add(a, b):\n    return pickle.loads(pickle.dumps(P(a + b))).x"
    )
    assert _check(host, program, ADD).score == 1.0


def test_cpp_is_compiled_and_run_on_standard_input(host):
    program = '#include <bits/stdc++.h>\nint main() { int n; std::cin >> n; std::cout << n << "\\n"; }'
    assert _check(host, program, ECHO, "cpp").score == 1.0
    assert _check(host, "int main() { return undeclared; }", ECHO, "cpp").reason == "compile_error"
    assert _check(host, program, ADD, "cpp").reason == "no_program"


@pytest.mark.parametrize(
    ("test_case", "reason"),
    [
        (None, "no_tests"),
        ({"call_type": "assert", "assert_case": []}, "no_tests"),
        ({"call_type": "std", "inputs": [], "outputs": []}, "no_tests"),
        ("{not json", "bad_test_case"),
        ({"call_type": "assert", "assert_case": ["assert ("]}, "bad_test_case"),
    ],
)
def test_without_usable_tests_there_is_no_score(host, test_case, reason):
    verdict = _check(host, "def add(a, b):\n    return a + b", test_case)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("not_run", None, reason)
    assert not verdict.transient


def test_a_response_without_a_finished_program_fails(host):
    runner, pool = host
    for response, reason in (
        ("<think>```python\ndef add(a, b): return a + b\n```", "unfinished"),
        ("<think></think>I cannot.", "no_program"),
    ):
        request = VerifyRequest(id="q", category="code", prompt="", response=response, test_case=ADD)
        assert runner.run(check_program(request, pool, SETTINGS)).reason == reason


def test_without_a_sandbox_nothing_runs(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    async def work():
        request = VerifyRequest(
            id="q", category="code", prompt="", response="```python\ndef add(a, b): return a + b\n```", test_case=ADD
        )
        return await check_program(request, SlotPool(SETTINGS.sandbox), SETTINGS)

    verdict = asyncio.run(work())
    assert (verdict.outcome, verdict.reason) == ("not_run", "no_sandbox")
    assert "bwrap is not installed" in verdict.detail
