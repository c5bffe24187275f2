"""The verb: a process that says when it is ready, ends in order, and says what is wrong on one line."""

import os
import signal
import subprocess
import sys
import urllib.request

import orjson

from reasonmill.engine.simulation.questions import right_answer


def command(*arguments):
    program = "import sys; from reasonmill.engine.cli import main; main(sys.argv[1:])"
    return (sys.executable, "-P", "-c", program, "simulate-teacher", *arguments)


def test_the_process_serves_until_it_is_told_to_stop(tmp_path):
    log = tmp_path / "log.jsonl"
    options = ("--port", "0", "--replicas", "2", "--speed-up", "1000", "--log", str(log), "--model", "AM")
    process = subprocess.Popen(command(*options), stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        ready = [process.stdout.readline().split() for _ in range(2)]
        assert all(words[0] == "ready" and words[-1] == "AM" for words in ready)
        body = orjson.dumps({"model": "AM", "messages": [{"role": "user", "content": "?"}], "seed": 1})
        with urllib.request.urlopen(f"{ready[1][1]}/chat/completions", data=body, timeout=20) as response:
            answer = orjson.loads(response.read())
        assert answer["choices"][0]["message"]["content"].startswith("<think>")
        taken = subprocess.run(
            command("--port", ready[0][1].split(":")[2].removesuffix("/v1")), capture_output=True, text=True, timeout=60
        )
        assert taken.returncode == 1
        assert taken.stderr.startswith("error: cannot listen on 127.0.0.1:")
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
        process.stdout.close()
    assert status == 0
    assert [orjson.loads(line)["event"] for line in log.read_bytes().splitlines()] == ["asked", "finished", "delivered"]


def test_queries_are_written_and_mistakes_are_one_line(tmp_path):
    path = tmp_path / "q.jsonl"
    done = subprocess.run(
        command("--write-queries", str(path), "--num-queries", "7", "--categories", "math"), timeout=60, check=True
    )
    assert done.returncode == 0
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [row["ground_truth"] for row in rows] == [right_answer(row["messages"][0]["content"]) for row in rows]
    assert len(rows) == 7
    wrong = subprocess.run(command("--set", "faults.drop_rat=1"), capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2
    assert wrong.stderr.strip() == "error: unknown key 'faults.drop_rat': did you mean 'faults.drop_rate'?"
