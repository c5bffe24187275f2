"""Canonical solutions of HumanEval, MBPP and LeetCode through `reasonmill verify`, and mutants of one edit each; run by
hand:

python -P tests/verify/solutions_and_mutants.py DATA OUTPUT_DIR [--mutants N]

DATA holds humaneval.jsonl.gz, mbpp_sanitized.jsonl.gz and leetcode_functional_test.jsonl.gz. Every solution is to pass,
and every mutant that plain Python kills is to fail; N mutants of each HumanEval and MBPP solution, chosen by its name.
"""

import argparse
import ast
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

OPPOSITE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
}


class Edit(ast.NodeTransformer):
    """Changes the `place`-th comparison, operator, whole number or returned value; counts them all."""

    def __init__(self, place):
        self.place, self.seen = place, 0

    def _here(self):
        self.seen += 1
        return self.seen - 1 == self.place

    def visit_Compare(self, node):
        self.generic_visit(node)
        if self._here():
            node.ops[0] = OPPOSITE[type(node.ops[0])]()
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if self._here():
            node.op = OPPOSITE.get(type(node.op), ast.Sub)()
        return node

    def visit_Constant(self, node):
        if type(node.value) is int and self._here():
            return ast.Constant(node.value + 1)
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        return ast.Return(ast.Constant(None)) if self._here() else node


def mutants(code, name, count):
    """Sources that differ from `code` by one edit."""
    counter = Edit(None)
    counter.visit(ast.parse(code))
    for place in random.Random(name).sample(range(counter.seen), min(count, counter.seen)):
        yield ast.unparse(ast.fix_missing_locations(Edit(place).visit(ast.parse(code))))


def tasks(data):
    """(name, solution, test case, a program that fails where the tests do; None where none is made)."""
    for row in read(data / "humaneval.jsonl.gz"):
        test = f"{row['test']}\ncheck({row['entry_point']})"
        case = {"call_type": "assert", "fn_name": row["entry_point"], "assert_case": [test]}
        yield row["task_id"], row["prompt"] + row["canonical_solution"], case, test
    for row in read(data / "mbpp_sanitized.jsonl.gz"):
        tests = ["\n".join(row["test_imports"])] * bool(row["test_imports"]) + row["test_list"]
        yield f"MBPP/{row['task_id']}", row["code"], {"call_type": "assert", "assert_case": tests}, "\n".join(tests)
    for number, row in enumerate(read(data / "leetcode_functional_test.jsonl.gz")):
        case = {"call_type": "assert", "fn_name": "", "assert_case": [row["tests"]["functional"]]}
        yield f"LeetCode/{number}", row["solutions"], case, None


def read(path):
    """Rows of a compressed JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def request(name, code, case):
    """A row for `reasonmill verify`."""
    return {"id": name, "category": "code", "prompt": "", "response": f"```python\n{code}\n```", "test_case": case}


def killed(program):
    """Whether plain Python does not reach the end of the program; None where it takes too long to say."""
    command = [sys.executable, "-I", "-c", program]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode != 0
    except subprocess.TimeoutExpired:
        return None


def outcomes(rows, folder, name):
    """Outcome of each row by its id, from the command line."""
    source, target = folder / f"{name}.jsonl", folder / f"{name}.verdicts.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [Path(sys.executable).with_name("reasonmill"), "verify", "--input", source, "--output", target]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    verdicts = map(json.loads, target.read_text(encoding="utf-8").splitlines())
    return {verdict["id"]: verdict["outcome"] for verdict in verdicts}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--mutants", type=int, default=2)
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    found = list(tasks(options.data))
    told = outcomes([request(name, code, case) for name, code, case, _ in found], options.output_dir, "solutions")
    for name, outcome in told.items():
        if outcome != "pass":
            print(f"{name}: {outcome}")
    of = Counter(name.partition("/")[0] for name in told)
    passed = Counter(name.partition("/")[0] for name, outcome in told.items() if outcome == "pass")
    print("solutions that pass:", ", ".join(f"{name} {passed[name]} of {of[name]}" for name in of))

    made = [
        (f"{name}#{number}", source, case, f"{source}\n{test}")
        for name, code, case, test in found
        if test is not None
        for number, source in enumerate(mutants(code, name, options.mutants))
    ]
    with ThreadPoolExecutor(2) as pool:
        plain = list(pool.map(killed, (program for *_, program in made)))
    told = outcomes([request(name, source, case) for name, source, case, _ in made], options.output_dir, "mutants")
    dead = [told[name] for (name, *_), is_killed in zip(made, plain, strict=True) if is_killed]
    alive = [told[name] for (name, *_), is_killed in zip(made, plain, strict=True) if is_killed is False]
    print(f"mutants that plain Python kills: {dead.count('fail')} of {len(dead)} fail; others: {Counter(alive)}")


if __name__ == "__main__":
    main()
