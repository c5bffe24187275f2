"""Process 1 of a sandbox slot: forks one confined job at a time, watches it, and leaves nothing of it behind.

A message is JSON with an 8-byte length in front, followed by the raw bytes that it announces under `attached`. When the
answer is written, no process of the job is alive; `clean` in it says whether its files are gone too, else a second
message does. Attached bytes go from the pipe to a file and back without a stay in this process: what a later fork
inherits has never seen them.

Whatever a fork and this process write to while both live is copied, a page at a time: most of what a job costs. So
what runs for every job is plain, and what can be worked out once is.
"""

import _signal  # type: ignore[import-not-found]
import gc
import json
import mmap
import os
import sys
from collections.abc import Callable
from typing import Any

from reasonmill.verify.sandbox.inside import assertions, checker, confine, prelude, seccomp, solution
from reasonmill.verify.sandbox.inside.watch import watch

SCRATCH = "/tmp"
JOB_FOLDER = f"{SCRATCH}/job"
BINARY = f"{SCRATCH}/program"
_STDERR_BYTES = 4096
_FAILED_TO_CONFINE = 121
_IGNORED_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_FIRST_OWN_FD = 3  # of a job: above its standard streams
_WITH_STDOUT = ("program", "execute", "compile")  # kinds of jobs; the others tell events
_WITH_EVENTS = ("calls", "assertions")


class Zygote:
    """Serves one pair of pipes; `uids` are the users of a solution and of its tests, None where it is not root."""

    def __init__(self, requests_fd: int, answers_fd: int, uids: tuple[int, int] | None) -> None:
        self._requests_fd = requests_fd
        self._answers_fd = answers_fd
        self._uids = uids
        inherited, own = map(seccomp.Filter, seccomp.make_filters())
        inherited.take_up()
        self._filter = own
        self._decode = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
        self._limits: dict[tuple[float, ...], confine.Limits] = {}
        self._has_binary = False

    def serve(self) -> None:
        """Until the pipe ends."""
        self._answer({"ready": True}, ())
        while (request := self._request()) is not None:
            kind = request["kind"]
            if self._has_binary and kind not in ("execute", "checker"):
                self._has_binary = False
                self._clean()
            clean = self._run(request, kind)
            if not clean:
                self._clean()
                self._answer({"clean": True}, ())

    # ---- messages

    def _request(self) -> dict[str, Any] | None:
        header = self._read(8)
        if header is None:
            return None
        body = self._read(int.from_bytes(header, "little"))
        if body is None:
            return None
        request: dict[str, Any] = self._decode(body.decode("ascii"), 0)[0]
        attached = request.get("attached")
        request["files"] = {name: self._received_file(size) for name, size in attached.items()} if attached else {}
        return request

    def _read(self, size: int) -> bytes | None:
        parts = os.read(self._requests_fd, size)
        while 0 < len(parts) < size:
            part = os.read(self._requests_fd, size - len(parts))
            if not part:
                return None
            parts += part
        return parts or None

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

    def _answer(self, message: dict[str, Any], ends: tuple[tuple[str, int, int, int], ...]) -> None:
        """Send the message and, behind it, of each (name, file, offset, count) as many bytes from the offset on."""
        if ends:
            message["attached"] = {name: count for name, _, _, count in ends}
        body = solution.to_json(message).encode("ascii")
        content = len(body).to_bytes(8, "little") + body
        while (written := os.write(self._answers_fd, content)) < len(content):
            content = content[written:]
        for _, fd, offset, count in ends:
            while count:
                sent = os.sendfile(self._answers_fd, fd, offset, count)
                offset, count = offset + sent, count - sent

    # ---- jobs

    def _run(self, request: dict[str, Any], kind: str) -> bool:
        """Run a job and answer; whether its files are gone."""
        os.mkdir(JOB_FOLDER, 0o700)
        if self._uids is not None:
            os.chown(JOB_FOLDER, self._uids[0], self._uids[0])
        limits, attached = request["limits"], request["files"]
        stderr = os.memfd_create("stderr")
        stdout = os.memfd_create("stdout") if kind in _WITH_STDOUT else 0
        events = os.memfd_create("events") if kind in _WITH_EVENTS else 0
        streams = [attached.get("stdin", 0), stdout, stderr]
        if kind == "assertions":
            pids = self._fork_pair(request, streams, events)
        else:
            kept = streams
            if kind == "calls":
                kept = [*streams, events]
            elif kind == "checker":
                kept = [*streams, attached["input"], attached["output"], attached["expected"]]
            execs = kind in ("compile", "execute")
            pids = [self._fork(_main, request, kept, limits, tests=False, exec_follows=execs)]
        outcome = watch(pids, limits, SCRATCH)
        ends = [_end("stderr", stderr, _STDERR_BYTES)]
        size = 0
        for name, fd in (("stdout", stdout), ("events", events)):
            if fd:
                size = os.stat(fd).st_size
                ends.append(_end(name, fd, limits["file_bytes"]))
        outcome["output_full"] = size >= limits["file_bytes"]
        if kind == "compile" and outcome["exit"] == 0:
            os.rename(f"{JOB_FOLDER}/program", BINARY)
            os.chmod(BINARY, 0o755)
            self._has_binary = True
        outcome["clean"] = clean = self._is_clean()
        self._answer(outcome, tuple(end for end in ends if end[3]))
        for fd in (stderr, stdout, events, *attached.values()):
            if fd:
                os.close(fd)
        return clean

    def _fork_pair(self, request: dict[str, Any], streams: list[int], events_fd: int) -> list[int]:
        """A solution and its tests, at the two ends of a socket; the tests' process alone can write events."""
        import _socket  # `socket` would make its enums; calls alone need neither

        ours, theirs = _socket.socketpair()
        limits, tests_fd = request["limits"], request["files"]["tests"]
        first = self._fork(_run_solution, request, [*streams, ours.fileno()], limits, tests=False)
        kept = [0, 0, 0, theirs.fileno(), events_fd, tests_fd]
        second = self._fork(_run_tests, request, kept, limits, tests=True)
        ours.close()
        theirs.close()
        return [first, second]

    def _fork(
        self,
        body: Callable[[dict[str, Any]], int],
        request: dict[str, Any],
        kept: list[int],
        limits: dict[str, Any],
        *,
        tests: bool,
        exec_follows: bool = False,
    ) -> int:
        """Start a process that is confined, keeps these descriptors as 0, 1, 2 …, and ends with the body's status."""
        key = (*limits.values(), exec_follows)
        bounds = self._limits.get(key)
        if bounds is None:
            bounds = self._limits[key] = confine.resource_limits(limits, exec_follows=exec_follows)
        pid = confine.fork()
        if pid:
            return pid
        status = _FAILED_TO_CONFINE
        try:
            os.setpgid(0, 0)
            for ignored in _IGNORED_SIGNALS:
                _signal.signal(ignored, _signal.SIG_DFL)
            os.chdir("/" if tests else JOB_FOLDER)
            for number, fd in enumerate(kept):
                os.dup2(fd, number)
            os.closerange(len(kept), confine.MAX_OPEN_FILES * 4)
            if self._uids is not None:
                confine.become_job_user(self._uids[tests], visible=not tests)
            else:
                confine.continue_in_own_namespaces(visible=not tests)
            confine.limit_resources(bounds, exec_follows=exec_follows)
            self._filter.take_up()
            status = body(request)
        except BaseException as error:  # noqa: BLE001  # the fork must not return into the zygote's loop
            os.write(2, f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace"))
        finally:
            os._exit(status)

    def _is_clean(self) -> bool:
        """Whether nothing of the job is left but its empty folder, which is removed: so most jobs leave it."""
        try:
            os.rmdir(JOB_FOLDER)
        except OSError:
            return False
        return len(os.listdir(SCRATCH)) == self._has_binary

    def _clean(self) -> None:
        """Remove the job's files. What resists ends the slot: the parent starts a fresh one."""
        import shutil

        for name in os.listdir(SCRATCH):
            path = f"{SCRATCH}/{name}"
            if path == BINARY and self._has_binary:
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                try:
                    shutil.rmtree(path)
                except PermissionError:  # not root, and the job closed its folders
                    for folder, _, _ in os.walk(path):
                        os.chmod(folder, 0o700)
                    shutil.rmtree(path)
            else:
                os.unlink(path)


def _end(name: str, fd: int, most: int) -> tuple[str, int, int, int]:
    """The last bytes of a file, as `_answer` takes them."""
    size = os.stat(fd).st_size
    count = min(size, most)
    return name, fd, size - count, count


def _main(request: dict[str, Any]) -> int:
    match request["kind"]:
        case "program":
            return solution.run_program(request["source"])
        case "calls":
            return solution.run_calls(request, _FIRST_OWN_FD)
        case "checker":
            return checker.run_checker(request["source"], _FIRST_OWN_FD)
        case "compile":
            with open("program.cpp", "w", encoding="utf-8", errors="replace") as file:
                file.write(request["source"])
            os.execv(request["command"][0], request["command"])
        case "execute":
            os.execv(BINARY, ["program"])
        case kind:
            raise ValueError(f"unknown kind of job {kind!r}")
    return _FAILED_TO_CONFINE


def _run_solution(request: dict[str, Any]) -> int:
    return solution.run_solution(request["source"], _FIRST_OWN_FD)


def _run_tests(_request: dict[str, Any]) -> int:
    solution_fd, events_fd, tests_fd = range(_FIRST_OWN_FD, _FIRST_OWN_FD + 3)
    tests = json.loads(os.pread(tests_fd, os.fstat(tests_fd).st_size, 0))
    assertions.silence()
    return assertions.run_assertions(tests, solution_fd, events_fd)


def main() -> None:
    """Take over the standard streams, then serve."""
    for ignored in _IGNORED_SIGNALS:
        _signal.signal(ignored, _signal.SIG_IGN)
    requests_fd, answers_fd = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    uids = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else None
    confine.set_dumpable(False)
    if uids is not None:
        confine.prepare_root()
    prelude.load()
    assertions.prepare_silence()
    gc.collect()
    gc.freeze()
    Zygote(requests_fd, answers_fd, uids).serve()


if __name__ == "__main__":
    main()
