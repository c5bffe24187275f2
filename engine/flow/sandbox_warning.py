"""Says at once, and not after hours, that programs will not be run: before the first question is asked."""

import sys

from reasonmill.engine.store.journal import Journal
from reasonmill.verify.pool import VerifierPool

_CODE = (
    'SELECT count(*) FROM queries WHERE admitted IS NOT 0 AND instr(record, CAST(\'"category":"code"\' AS BLOB)) > 0'
)


async def warn_without_sandbox(journal: Journal, pool: VerifierPool) -> None:
    """One line on standard error where the run has code queries and no sandbox works here."""
    num_queries = (await journal.rows(_CODE))[0][0]
    if not num_queries:
        return
    reason = await pool.probe_sandbox()
    if reason is not None:
        print(
            f"warning: no sandbox works here ({reason}): {num_queries:,} code queries will be asked, their answers not"
            " be run, and --resume does not judge them later. `reasonmill doctor` says what to install",
            file=sys.stderr,
        )
