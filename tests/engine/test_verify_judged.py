"""`reasonmill verify` with a judge or a rater behind an endpoint, as a user runs it."""

import http.server
import json
import threading
import time
from contextlib import contextmanager

import orjson
import pytest

from reasonmill.engine.cli import run_command


class _Server(http.server.ThreadingHTTPServer):
    """Answers each request with (status, text, seconds to wait) of `script`, called with the question's name and the
    number of times it was asked.
    """

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked = {}
        self.lock = threading.Lock()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["messages"][-1]["content"].partition("question ")[2].split()[0]
        with self.server.lock:
            self.server.asked[name] = number = self.server.asked.get(name, 0) + 1
        status, text, wait_s = self.server.script(name, number)
        time.sleep(wait_s)
        reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)
        except ConnectionError:
            return  # the client gave up

    def log_message(self, *_):
        return


@contextmanager
def _serving(script):
    with _Server(script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _row(name, gold, answer, category="math"):
    response = f"<think>t</think>{answer}"
    return {
        "id": name, "category": category, "prompt": f"question {name} ?", "response": response, "ground_truth": gold
    }  # fmt: skip


def _verify(folder, rows, server, section, *options, expect=0):
    source, output = folder / "rows.jsonl", folder / "v.jsonl"
    source.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    settings = {
        "base_url": f"http://127.0.0.1:{server.server_port}/v1", "model": "m", "first_pause_s": "0.01", "max_tries": "3"
    }  # fmt: skip
    said = [part for key, value in settings.items() for part in ("--set", f"{section}.{key}={value}")]
    command = ["verify", "--input", str(source), "--output", str(output), "--workers", "1", *said, *options]
    assert run_command(command) == expect
    lines = map(orjson.loads, output.read_bytes().splitlines())
    return {line["id"]: (line["outcome"], line["score"], line["reason"]) for line in lines}


REPLIES = {
    "no": (200, "It is the same.\nVERDICT: INCORRECT", 0),
    "yes": (200, "**Verdict:** correct", 0),
    "words": (200, "The answer is not INCORRECT but CORRECT.", 0),
    "both": (200, "VERDICT: CORRECT\nVERDICT: INCORRECT", 0),
    "thinking": (200, "<think>VERDICT: CORRECT</think>VERDICT: INCORRECT", 0),
    "empty": (200, "", 0),
}


def test_the_judge_is_asked_once_and_only_about_what_the_rules_refuse(tmp_path):
    rows = [_row(name, "7", r"\boxed{8}") for name in REPLIES]
    rows += [
        _row("right", "7", r"\boxed{7}"),
        _row("unfinished", "7", r"<think>\boxed{8}"),
        _row("gold", "", r"\boxed{8}"),
        _row("yes", "7", r"\boxed{8}"),
    ]
    with _serving(lambda name, _: REPLIES[name]) as server:
        options = ["--set", f"judge.cache_path={tmp_path / 'replies'}"]
        found = _verify(tmp_path, rows, server, "judge", *options)
        asked = dict(server.asked)
        again = _verify(tmp_path, rows, server, "judge", *options)
    assert found == again
    assert found == {
        "no": ("fail", 0.0, "wrong_answer"),
        "yes": ("pass", 1.0, "ok"),
        "words": ("not_run", None, "judge_unclear"),
        "both": ("not_run", None, "judge_unclear"),
        "thinking": ("fail", 0.0, "wrong_answer"),
        "empty": ("not_run", None, "judge_unreachable"),
        "right": ("pass", 1.0, "ok"),
        "unfinished": ("fail", 0.0, "unfinished"),
        "gold": ("not_run", None, "unverifiable_gold"),
    }
    assert asked == {"no": 1, "yes": 1, "words": 1, "both": 1, "thinking": 1, "empty": 3}
    assert server.asked == {**asked, "empty": 6}  # what was heard is remembered, what was not is asked again


@pytest.mark.parametrize(
    ("status", "tries", "outcome"), [(500, 3, "not_run"), (401, 1, "not_run"), (429, 2, "pass"), (503, 2, "pass")]
)
def test_a_server_that_fails_is_no_score_and_one_that_recovers_is_heard(tmp_path, status, tries, outcome):
    def script(_, number):
        heals = outcome == "pass" and number == tries
        return (200 if heals else status), "VERDICT: CORRECT", 0

    with _serving(script) as server:
        found = _verify(tmp_path, [_row("q", "7", r"\boxed{8}")], server, "judge")
    assert found["q"][0] == outcome
    assert server.asked == {"q": tries}


def test_a_judge_that_is_too_slow_is_no_score(tmp_path):
    with _serving(lambda *_: (200, "VERDICT: CORRECT", 1)) as server:
        options = ["--set", "judge.timeout_s=0.2", "--set", "judge.max_tries=2"]
        found = _verify(tmp_path, [_row("q", "7", r"\boxed{8}")], server, "judge", *options)
    assert found["q"] == ("not_run", None, "judge_unreachable")


def test_science_in_prose_is_scored_as_a_share_of_five(tmp_path):
    gold = "The pressure of the gas rises when it is heated in a closed vessel"
    replies = {
        "five": "SCORE: 5",
        "four": "Score: 4",
        "half": "SCORE: 4.5/5",
        "six": "SCORE: 6",
        "two": "SCORE: 1\nSCORE: 5",
    }
    with _serving(lambda name, _: (200, replies[name], 0)) as server:
        rows = [_row(name, gold, "Molecules move faster.", "science") for name in replies]
        found = _verify(tmp_path, rows, server, "judge")
    assert {name: score for name, (_, score, _) in found.items()} == {
        "five": 1.0, "four": 0.8, "half": 0.9, "six": None, "two": None
    }  # fmt: skip
    assert [found[name][0] for name in ("five", "four", "half")] == ["pass", "fail", "pass"]


def test_an_audit_counts_and_shows_where_the_judge_and_plain_math_verify_differ(tmp_path, capsys):
    rows = [
        _row("agree", "7", r"\boxed{7}"),
        _row("lenient", "7", r"\boxed{8}"),
        _row("interval", "(2, 5]", r"\boxed{2<x\le 5}"),
        _row("mute", "7", r"\boxed{9}"),
    ]
    with _serving(lambda name, _: (200, "" if name == "mute" else "VERDICT: CORRECT", 0)) as server:
        _verify(tmp_path, rows, server, "judge", "--audit", "10")
    told = capsys.readouterr().out
    assert "audit: math against judge: 1 of 3 differ (33.33 %), 1 not comparable\n" in told
    assert "audit: math against plain Math-Verify: 1 of 4 differ (25.00 %), 0 not comparable\n" in told
    judge, plain = orjson.loads((tmp_path / "v.jsonl.audit.json").read_bytes())
    assert [(one["id"], one["ours"], one["other"]) for one in judge["examples"]] == [("lenient", "fail", "pass")]
    assert [(one["id"], one["ours"], one["other"]) for one in plain["examples"]] == [("interval", "pass", "fail")]


def test_answers_without_a_reference_are_rated_in_three_ways(tmp_path):
    replies = {
        "good": "COHERENCE: 4\nCORRECTNESS: 3\nHELPFULNESS: 4", "poor": "COHERENCE: 1\nCORRECTNESS: 1\nHELPFULNESS: 1",
        "part": "COHERENCE: 4\nHELPFULNESS: 4",
    }  # fmt: skip
    with _serving(lambda name, _: (200, replies[name], 0)) as server:
        rows = [_row(name, None, "Hello.", "multiturn") for name in replies]
        found = _verify(tmp_path, rows, server, "reward.endpoint")
    assert found == {
        "good": ("pass", 11 / 12, "ok"),
        "poor": ("fail", 0.25, "low_quality"),
        "part": ("not_run", None, "judge_unclear"),
    }
