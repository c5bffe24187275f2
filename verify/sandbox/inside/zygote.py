"""Process 1 of a sandbox slot: forks one confined job at a time, watches it, and leaves nothing of it behind.

A request is one JSON message with an 8-byte length in front; so is the answer. When the answer is written, no process
of the job is alive; a second message says that its files are gone too.
"""

import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from reasonmill.verify.sandbox.inside import confine, programs

SCRATCH = Path("/tmp")
JOB_FOLDER = SCRATCH / "job"
BINARY = SCRATCH / "program"
_STDERR_BYTES = 4096
_FAILED_TO_CONFINE = 121
_IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Zygote:
    """Serves one pair of pipes; `uid` is the user of its jobs, None where it is not root."""

    def __init__(self, requests_fd: int, answers_fd: int, uid: int | None) -> None:
        self._requests_fd = requests_fd
        self._answers_fd = answers_fd
        self._uid = uid

    def serve(self) -> None:
        """Until the pipe ends."""
        self._answer({"ready": True})
        while (request := self._request()) is not None:
            if request["kind"] != "execute":
                BINARY.unlink(missing_ok=True)
            self._answer(self._run(request))
            self._clean()
            self._answer({"clean": True})

    def _request(self) -> dict[str, Any] | None:
        header = self._read(8)
        if header is None:
            return None
        body = self._read(int.from_bytes(header, "little"))
        return None if body is None else json.loads(body)

    def _read(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            part = os.read(self._requests_fd, size - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)

    def _answer(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode("ascii")
        view = memoryview(len(body).to_bytes(8, "little") + body)
        while view:
            view = view[os.write(self._answers_fd, view) :]

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        JOB_FOLDER.mkdir(mode=0o700)
        if self._uid is not None:
            os.chown(JOB_FOLDER, self._uid, self._uid)
        files = {name: os.memfd_create(name) for name in ("stdin", "stdout", "stderr", "events")}
        _fill(files["stdin"], request.get("stdin", "").encode("utf-8", "replace"))
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._job(request, files)
        outcome = _watch(pid, request["limits"]["wall_s"])
        outcome["wall_s"] = time.monotonic() - started
        limit = request["limits"]["file_bytes"]
        outcome["output_full"] = any(os.fstat(files[name]).st_size >= limit for name in ("stdout", "events"))
        for name, most in (("stdout", limit), ("stderr", _STDERR_BYTES), ("events", limit)):
            outcome[name] = _tail(files[name], most)
        for fd in files.values():
            os.close(fd)
        if request["kind"] == "compile" and outcome["exit"] == 0:
            (JOB_FOLDER / "program").rename(BINARY)
            BINARY.chmod(0o755)
        return outcome

    def _job(self, request: dict[str, Any], files: dict[str, int]) -> None:
        """The child's life; never returns."""
        status = _FAILED_TO_CONFINE
        try:
            os.close(self._requests_fd)
            os.close(self._answers_fd)
            os.setsid()
            for ignored in _IGNORED_SIGNALS:
                signal.signal(ignored, signal.SIG_DFL)
            os.chdir(JOB_FOLDER)
            for number, name in enumerate(("stdin", "stdout", "stderr")):
                os.dup2(files[name], number)
            if self._uid is not None:
                confine.become_job_user(self._uid)
            else:
                _continue_in_own_namespaces()
            confine.limit_resources(request["limits"], exec_follows=request["kind"] in ("compile", "execute"))
            status = _start(request, files["events"])
        except BaseException as error:  # noqa: BLE001  # the fork must not return into the zygote's loop
            os.write(2, f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace"))
        finally:
            os._exit(status)

    def _clean(self) -> None:
        """Remove the job's files. What resists ends the slot: the parent starts a fresh one."""
        for path in SCRATCH.iterdir():
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


def _start(request: dict[str, Any], events_fd: int) -> int:
    match request["kind"]:
        case "program":
            return programs.run_program(request["source"])
        case "cases":
            return programs.run_cases(request, events_fd)
        case "compile":
            Path("program.cpp").write_text(request["source"], encoding="utf-8", errors="replace")
            os.execv(request["command"][0], request["command"])
        case "execute":
            os.execv(BINARY, ["program"])
        case kind:
            raise ValueError(f"unknown kind of job {kind!r}")
    return _FAILED_TO_CONFINE


def _continue_in_own_namespaces() -> None:
    """Go on in a grandchild that is process 1 of its own namespace, while this process waits and ends as it does."""
    confine.enter_own_namespaces()
    pid = os.fork()
    if pid == 0:
        confine.drop_capabilities()
        return
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _watch(pid: int, wall_s: float) -> dict[str, Any]:
    """Wait for the job's end or its deadline, then kill whatever it has left behind."""
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    over = not poll.poll(wall_s * 1000)
    os.close(pidfd)
    if over:
        _kill_all()
    _, status, usage = os.wait4(pid, 0)
    _kill_all()
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    code = os.waitstatus_to_exitcode(status)
    return {
        "exit": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "over_wall": over,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def _kill_all() -> None:
    try:
        os.kill(-1, signal.SIGKILL)  # every process of the namespace but this one; none can escape by forking
    except ProcessLookupError:
        return


def _fill(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)


def _tail(fd: int, most: int) -> str:
    size = os.fstat(fd).st_size
    return os.pread(fd, most, max(0, size - most)).decode("utf-8", "replace")


def main() -> None:
    """Take over the standard streams, then serve."""
    for ignored in _IGNORED_SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    requests_fd, answers_fd = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    uid = int(sys.argv[1]) if len(sys.argv) > 1 else None
    confine.set_dumpable(False)
    programs.warm_up()
    gc.collect()
    gc.freeze()
    Zygote(requests_fd, answers_fd, uid).serve()


if __name__ == "__main__":
    main()
