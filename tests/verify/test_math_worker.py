"""The algebra, in the test's own process."""

import gc
import signal

import pytest

from reasonmill.verify import math_worker, worker_loop


@pytest.fixture(autouse=True)
def _alarm(monkeypatch):
    before = signal.signal(signal.SIGALRM, worker_loop._ring)
    monkeypatch.setattr(worker_loop, "_die_at", lambda cpu_s: None)
    gc.disable()  # an alarm that rings while what other tests left is finalised would be lost
    yield
    gc.enable()
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("gold", "answer", "result"),
    [
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \pi/2)", "equal"),
        ("x^2+2x+1", "(x+1)^2", "equal"),
        ("x=5", "5", "equal"),
        ("5", "x=5", "equal"),
        (r"3 \pm 2 \sqrt{2}", r"3+2\sqrt{2}, 3-2\sqrt{2}", "equal"),
        (r"\{1,2\}", "2, 1", "equal"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\ 2\end{pmatrix}", "equal"),
        ("2", "2,3", "different"),
        ("(1,2)", "(2,1)", "different"),
        ("[1,2]", "(1,2)", "different"),
        ("3x+4y+14=0", "3x-y+13=0", "different"),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}", "different"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}", "different"),
        ("x", "nothing that is mathematics at all", "different"),
        (r"\frac{", "1", "bad_gold"),
        ("???", "1", "bad_gold"),
    ],
)
def test_algebra_finds_equal_what_is_equal(gold, answer, result):
    assert math_worker.judge(gold, answer, "", 20.0)["result"] == result


def test_an_answer_over_the_limit_is_reported_and_the_next_one_is_judged():
    told = math_worker.judge("x", r"\sum_{k=1}^{1000000} \sin(k^2)", "", 0.3)
    assert told["result"] in ("over_limit", "different")
    assert math_worker.judge("x^2+x", "x(x+1)", "", 20.0)["result"] == "equal"


def test_the_alarm_is_silent_afterwards():
    math_worker.judge("x+y", "y+x", "", 20.0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
