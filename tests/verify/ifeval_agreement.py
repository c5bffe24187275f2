"""How far `reasonmill verify` agrees with reference verdicts on instruction following; run by hand, without a network:

python -P tests/verify/ifeval_agreement.py ROWS.jsonl.gz

Rows have prompt, response, instruction_id_list, kwargs, and strict and loose (a truth value per constraint). A query
whose reference draws at random (a letter that is none) cannot agree and is counted apart.
"""

import asyncio
import gzip
import json
import sys
from pathlib import Path

from reasonmill.verify.constraints import BadConstraints, read_constraints
from reasonmill.verify.instruction_check import InstructionChecker
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import InstructionSettings


async def verdicts(rows, *, loose):
    """One verdict per constraint of each row: each is asked alone."""
    checker = InstructionChecker(InstructionSettings(loose=loose))

    async def one(row, place):
        constrain = {"instruction_id_list": [row["instruction_id_list"][place]], "kwargs": [row["kwargs"][place]]}
        request = VerifyRequest(
            id="q", category="if", prompt=row["prompt"], response=row["response"], instruction_constrain=constrain
        )
        return await checker.check(request)

    try:
        places = [(row, place) for row in rows for place in range(len(row["instruction_id_list"]))]
        return await asyncio.gather(*(one(row, place) for row, place in places))
    finally:
        await checker.close()


def main():
    with gzip.open(Path(sys.argv[1]), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for mode in ("strict", "loose"):
        reference = [met for row in rows for met in row[mode]]
        runs = [asyncio.run(verdicts(rows, loose=mode == "loose")) for _ in range(2)]
        told = [[(v.outcome, v.score, v.reason, v.detail) for v in run] for run in runs]
        checked = [(v, met) for v, met in zip(runs[0], reference, strict=True) if v.outcome != "not_run"]
        equal = sum((v.outcome == "pass") == met for v, met in checked)
        not_run, malformed = len(reference) - len(checked), sum(map(_unreadable, rows))
        print(
            f"{mode}: {equal} of {len(reference)} verdicts equal the reference ({equal / len(reference):.4f}),", end=" "
        )
        print(f"{not_run} not run ({malformed} queries malformed), two runs identical: {told[0] == told[1]}")


def _unreadable(row):
    try:
        read_constraints(row)
    except BadConstraints:
        return True
    return False


if __name__ == "__main__":
    main()
