"""Process 1 of a sandbox slot: forks one confined job at a time, watches it, and leaves nothing of it behind.

A message is JSON with an 8-byte length in front, followed by the raw bytes that it announces under `attached`. When the
answer is written, no process of the job is alive; a second message says that its files are gone too. Attached bytes go
from the pipe to a file and back without a stay in this process: what a later fork inherits has never seen them.
"""

import gc
import json
import mmap
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reasonmill.verify.sandbox.inside import assertions, checker, confine, prelude, seccomp, solution
from reasonmill.verify.sandbox.inside.watch import watch

SCRATCH = Path("/tmp")
JOB_FOLDER = SCRATCH / "job"
BINARY = SCRATCH / "program"
_STDERR_BYTES = 4096
_FAILED_TO_CONFINE = 121
_IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FIRST_OWN_FD = 3  # of a job: above its standard streams


class Zygote:
    """Serves one pair of pipes; `uids` are the users of a solution and of its tests, None where it is not root."""

    def __init__(self, requests_fd: int, answers_fd: int, uids: tuple[int, int] | None) -> None:
        self._requests_fd = requests_fd
        self._answers_fd = answers_fd
        self._uids = uids
        program = seccomp.make_filter()
        self._filter = None if program is None else seccomp.Filter(program)

    def serve(self) -> None:
        """Until the pipe ends."""
        self._answer({"ready": True, "filter": self._filter is not None}, {})
        while (request := self._request()) is not None:
            if request["kind"] not in ("execute", "checker"):
                BINARY.unlink(missing_ok=True)
            self._run(request)
            self._clean()
            self._answer({"clean": True}, {})

    # ---- messages

    def _request(self) -> dict[str, Any] | None:
        header = self._read(8)
        if header is None:
            return None
        body = self._read(int.from_bytes(header, "little"))
        if body is None:
            return None
        request: dict[str, Any] = json.loads(body)
        request["files"] = {name: self._received_file(size) for name, size in request.get("attached", {}).items()}
        return request

    def _read(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            part = os.read(self._requests_fd, size - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)

    def _received_file(self, size: int) -> int:
        """The next bytes of the pipe as a file."""
        fd = os.memfd_create("attached")
        if size:
            os.truncate(fd, size)
            with mmap.mmap(fd, size) as pages, memoryview(pages) as view:
                at = 0
                while at < size and (count := os.readv(self._requests_fd, [view[at:]])):
                    at += count
        return fd

    def _answer(self, message: dict[str, Any], files: dict[str, tuple[int, int, int]]) -> None:
        """Send the message and, behind it, count bytes from offset on of each file."""
        body = json.dumps({**message, "attached": {name: count for name, (_, _, count) in files.items()}}).encode(
            "ascii"
        )
        view = memoryview(len(body).to_bytes(8, "little") + body)
        while view:
            view = view[os.write(self._answers_fd, view) :]
        for fd, offset, count in files.values():
            sent = 0
            while sent < count:
                sent += os.sendfile(self._answers_fd, fd, offset + sent, count - sent)

    # ---- jobs

    def _run(self, request: dict[str, Any]) -> None:
        JOB_FOLDER.mkdir(mode=0o700)
        if self._uids is not None:
            os.chown(JOB_FOLDER, self._uids[0], self._uids[0])
        limits, attached = request["limits"], request["files"]
        outputs = {name: os.memfd_create(name) for name in ("stdout", "stderr", "events")}
        talks = request["kind"] in ("program", "execute", "compile")
        streams = [attached.get("stdin", 0), outputs["stdout"] if talks else 0, outputs["stderr"]]
        if request["kind"] == "assertions":
            pids = self._fork_pair(request, streams, outputs["events"])
        else:
            kept = [*streams, *self._further(request, outputs)]
            pids = [self._fork(lambda: _main(request), kept, limits, tests=False, exec_follows=_execs(request))]
        outcome = watch(pids, limits, SCRATCH)
        sizes = {name: os.fstat(fd).st_size for name, fd in outputs.items()}
        outcome["output_full"] = max(sizes["stdout"], sizes["events"]) >= limits["file_bytes"]
        if request["kind"] == "compile" and outcome["exit"] == 0:
            (JOB_FOLDER / "program").rename(BINARY)
            BINARY.chmod(0o755)
        most = {"stdout": limits["file_bytes"], "events": limits["file_bytes"], "stderr": _STDERR_BYTES}
        ends = {
            name: (fd, max(0, sizes[name] - most[name]), min(sizes[name], most[name])) for name, fd in outputs.items()
        }
        self._answer(outcome, ends)
        for fd in (*outputs.values(), *attached.values()):
            os.close(fd)

    @staticmethod
    def _further(request: dict[str, Any], outputs: dict[str, int]) -> list[int]:
        """Descriptors that a job has beyond its standard streams."""
        match request["kind"]:
            case "calls":
                return [outputs["events"]]
            case "checker":
                return [request["files"][name] for name in ("input", "output", "expected")]
        return []

    def _fork_pair(self, request: dict[str, Any], streams: list[int], events_fd: int) -> list[int]:
        """A solution and its tests, at the two ends of a socket; the tests' process alone can write events."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            limits, tests_fd = request["limits"], request["files"]["tests"]
            first = self._fork(
                lambda: solution.run_solution(request["source"], _FIRST_OWN_FD),
                [*streams, ours.fileno()],
                limits,
                tests=False,
            )
            second = self._fork(_run_tests, [0, 0, 0, theirs.fileno(), events_fd, tests_fd], limits, tests=True)
        return [first, second]

    def _fork(
        self,
        body: Callable[[], int],
        kept: list[int],
        limits: dict[str, Any],
        *,
        tests: bool,
        exec_follows: bool = False,
    ) -> int:
        """Start a process that is confined, keeps these descriptors as 0, 1, 2 …, and ends with the body's status."""
        pid = confine.fork()
        if pid:
            return pid
        status = _FAILED_TO_CONFINE
        try:
            os.setsid()
            for ignored in _IGNORED_SIGNALS:
                signal.signal(ignored, signal.SIG_DFL)
            os.chdir("/" if tests else JOB_FOLDER)
            for number, fd in enumerate(kept):
                os.dup2(fd, number)
            os.closerange(len(kept), confine.MAX_OPEN_FILES * 4)
            if self._uids is not None:
                confine.become_job_user(self._uids[tests], visible=not tests)
            else:
                confine.continue_in_own_namespaces(visible=not tests)
            confine.limit_resources(limits, exec_follows=exec_follows)
            if self._filter is not None:
                self._filter.take_up()
            status = body()
        except BaseException as error:  # noqa: BLE001  # the fork must not return into the zygote's loop
            os.write(2, f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace"))
        finally:
            os._exit(status)

    def _clean(self) -> None:
        """Remove the job's files. What resists ends the slot: the parent starts a fresh one."""
        with suppress(OSError):
            JOB_FOLDER.rmdir()  # most jobs leave it empty
        for name in os.listdir(SCRATCH):  # noqa: PTH208  # of no cost where nothing is left
            path = SCRATCH / name
            if path == BINARY:
                continue
            if path.is_dir() and not path.is_symlink():
                try:
                    shutil.rmtree(path)
                except PermissionError:  # not root, and the job closed its folders
                    for folder, _, _ in os.walk(path):
                        Path(folder).chmod(0o700)
                    shutil.rmtree(path)
            else:
                path.unlink()


def _execs(request: dict[str, Any]) -> bool:
    return request["kind"] in ("compile", "execute")


def _main(request: dict[str, Any]) -> int:
    match request["kind"]:
        case "program":
            return solution.run_program(request["source"])
        case "calls":
            return solution.run_calls(request, _FIRST_OWN_FD)
        case "checker":
            return checker.run_checker(request["source"], _FIRST_OWN_FD)
        case "compile":
            Path("program.cpp").write_text(request["source"], encoding="utf-8", errors="replace")
            os.execv(request["command"][0], request["command"])
        case "execute":
            os.execv(BINARY, ["program"])
        case kind:
            raise ValueError(f"unknown kind of job {kind!r}")
    return _FAILED_TO_CONFINE


def _run_tests() -> int:
    solution_fd, events_fd, tests_fd = range(_FIRST_OWN_FD, _FIRST_OWN_FD + 3)
    tests = json.loads(os.pread(tests_fd, os.fstat(tests_fd).st_size, 0))
    assertions.silence()
    return assertions.run_assertions(tests, solution_fd, events_fd)


def main() -> None:
    """Take over the standard streams, then serve."""
    for ignored in _IGNORED_SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    requests_fd, answers_fd = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    uids = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else None
    confine.set_dumpable(False)
    prelude.load()
    assertions.prepare_silence()
    gc.collect()
    gc.freeze()
    Zygote(requests_fd, answers_fd, uids).serve()


if __name__ == "__main__":
    main()
