"""`reasonmill verify --audit N`: N rows of an input checked in two ways, the disagreements in a file."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import xxhash

from reasonmill.engine.store.aside import write_whole
from reasonmill.engine.store.rows import read_rows
from reasonmill.engine.verify_files import request_of
from reasonmill.verify.audit import Audit, audit
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings


async def audit_file(input: str | Path, output: Path, settings: VerifySettings, *, sample: int) -> Sequence[str]:
    """Write the audit of `sample` rows, chosen by their ids, and return it as lines for people."""
    found = await audit(_sample(input, sample), settings)
    write_whole(output, orjson.dumps(_record(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    lines = [
        f"audit: {category} against {way}: {found.differ[category, way]:,} of {found.compared[category, way]:,} differ "
        f"({100 * found.rate((category, way)):.2f} %), {found.unchecked[category, way]:,} not comparable"
        for category, way in sorted({*found.compared, *found.unchecked})
    ]
    return [*lines, f"audit: examples in {str(output)!r}"] if lines else ["audit: no row has a reference answer"]


def _sample(input: str | Path, sample: int) -> list[VerifyRequest]:
    """The rows with the smallest hashes of their ids: the same sample of the same file each time, in file order."""
    chosen: list[tuple[int, int, VerifyRequest]] = []
    for number, request in enumerate(_requests(input)):
        chosen.append((xxhash.xxh3_64_intdigest(request.id.encode()), number, request))
        if len(chosen) >= 2 * sample:
            chosen = sorted(chosen, key=lambda one: one[:2])[:sample]
    kept = sorted(chosen, key=lambda one: one[:2])[:sample]
    return [request for _, _, request in sorted(kept, key=lambda one: one[1])]


def _requests(input: str | Path) -> Iterator[VerifyRequest]:
    for row in read_rows(input):
        if row.value is None:
            continue
        try:
            yield request_of(row.value, row.line)
        except ValueError:
            continue  # told by the verification itself


def _record(found: Audit) -> list[dict[str, object]]:
    return [
        {
            "category": category,
            "against": way,
            "compared": found.compared[category, way],
            "differ": found.differ[category, way],
            "disagreement": found.rate((category, way)),
            "not_comparable": found.unchecked[category, way],
            "examples": [asdict(one) for one in found.examples.get((category, way), [])],
        }
        for category, way in sorted({*found.compared, *found.unchecked})
    ]
