"""An engine for tests of the processes around it: echoes the last turn, and misbehaves when a turn asks for it.

Run as `python echo_engine.py FD`. A turn `steps N text` takes N steps of 10 ms; `die` kills the process in a step,
`hang` stops stepping, `refuse` is refused. The model `broken` does not load.
"""

import os
import sys
import time
from collections.abc import Sequence

from reasonmill.engine.teachers.engine_host import connection_from_argument, serve
from reasonmill.engine.teachers.wire import Answer, Ask, EngineSpec


class EchoEngine:
    device = "cpu"
    max_model_len = 1000

    def __init__(self, spec: EngineSpec) -> None:
        if spec.model.endswith("broken"):
            raise RuntimeError("no such architecture")
        self._open: dict[int, tuple[Ask, int]] = {}

    def add(self, ask: Ask) -> None:
        text = ask.turns[-1][1]
        if text == "refuse":
            raise ValueError("refused as asked")
        self._open[ask.id] = (ask, int(text.split()[1]) if text.startswith("steps ") else 1)

    def abort(self, id: int) -> None:
        self._open.pop(id, None)

    def busy(self) -> bool:
        return bool(self._open)

    def step(self) -> Sequence[Answer]:
        time.sleep(0.01)
        done = []
        for id, (ask, steps) in list(self._open.items()):
            text = ask.turns[-1][1]
            if text == "die":
                os.abort()
            if text == "hang":
                time.sleep(3600)
            self._open[id] = (ask, steps - 1)
            if steps <= 1:
                del self._open[id]
                open_now = f" beside {len(self._open)}" if text == "count" else ""
                answer = f"{ask.generation_prompt}{text}{open_now} pid {os.getpid()} seed {ask.sampling.seed}"
                done.append(Answer(id=id, text=answer, finish_reason="stop", prompt_tokens=1, completion_tokens=1))
        return done

    def close(self) -> None:
        pass


if __name__ == "__main__":
    serve(connection_from_argument(sys.argv[1]), EchoEngine, version="echo")
