"""The folder of one run: held by one coordinator at a time, and resumed only with the recipe that began it."""

import errno
import fcntl
import os
import shutil
import sqlite3
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from reasonmill.engine.flow.lifeline import RUN_MARK, kill_marked
from reasonmill.engine.recipe_loader import as_plain, read_yaml
from reasonmill.engine.store.aside import named, write_whole
from reasonmill.engine.store.journal import open_for_reading

RESOLVED = "recipe.resolved.yaml"
# Keys that may differ on --resume: they change how fast a run goes, not what it makes. The time limit of a check is not
# among them: it decides verdicts.
FREE_ON_RESUME = (
    "card",
    "run.output_dir",
    "verify.math_workers",
    "verify.cache_size",
    "verify.sandbox.slots",
    "verify.math_recycle_after",
    "verify.math_recycle_mib",
    *(f"verify.judge.{key}" for key in ("base_url", "api_key_env", "max_concurrency", "timeout_s", "max_tries")),
    *(f"verify.judge.{key}" for key in ("first_pause_s", "cache_size", "cache_path")),
    "train.stall_limit_s",
    "attempts.max_open_queries",
    "attempts.max_unjudged",
    "attempts.order",
    "attempts.drain",
    "attempts.max_hours",
    "attempts.max_faults",
    "attempts.max_check_retries",
)

# Keys of a teacher that its answers come from; the others say where and how fast.
ANSWERS_FROM = (
    *("model", "script", "categories", "system_prompt", "generation_prompt"),
    *("temperature", "top_p", "top_k", "max_tokens", "loop_breaker"),
)
# The same of a simulated teacher that stays one; the others of its simulation say how fast it is and what breaks.
SIMULATED_FROM = (
    *("seed", "lengths", "passes", "pass_rate", "pass_spread", "teacher_correlation", "length_correlation"),
    *("wrong_length_factor", "length_scale", "text_mode", "answers"),
    *("faults.truncation_rate", "faults.loop_rate", "faults.second_think_rate", "faults.loop_break_tokens"),
)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths inside a run directory."""

    root: Path

    @property
    def journal(self) -> Path:
        """The SQLite journal."""
        return self.root / "journal.sqlite"

    @property
    def inputs(self) -> Path:
        """Inputs that a generator made."""
        return self.root / "inputs"

    @property
    def curation(self) -> Path:
        """What curation sets aside until it is in the journal."""
        return self.root / "curation"

    @property
    def dataset(self) -> Path:
        """Parquet shards by teacher."""
        return self.root / "dataset"

    @property
    def rejects(self) -> Path:
        """What left the run."""
        return self.root / "rejects"

    @property
    def pass_rates(self) -> Path:
        """How often each query was answered rightly, in mode k_pass."""
        return self.root / "pass_rates.jsonl"

    @property
    def packed(self) -> Path:
        """Packed rows."""
        return self.root / "packed"

    @property
    def train(self) -> Path:
        """Metrics and checkpoints of the trainer."""
        return self.root / "train"

    @property
    def student(self) -> Path:
        """The fine-tuned student."""
        return self.root / "student"

    @property
    def logs(self) -> Path:
        """Logs of every process."""
        return self.root / "logs"


def choose_directory(output_dir: str | None, name: str, *, resume: bool) -> Path:
    """The folder of a run: as given, or `runs/NAME-TIME`; a resumed run without one is the newest of its name."""
    if output_dir:
        return Path(output_dir).absolute()
    parent = Path("runs").absolute()
    if resume:
        known = sorted(p.parent for p in parent.glob(f"{name}-*/{RESOLVED}"))
        if not known:
            raise ValueError(f"--resume: no run named {name!r} under {str(parent)!r}; give its --output-dir")
        return known[-1]
    return parent / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


class HeldRunDirectory:
    """The folder, locked against a second coordinator; leftovers of a dead one are killed on the way in."""

    def __init__(self, root: Path, recipe: Any, *, resume: bool) -> None:
        self.paths = RunDirectory(root)
        self._recipe = as_plain(recipe)
        self._resume = resume
        self._lock: IO[str] | None = None
        self._new = False

    def __enter__(self) -> RunDirectory:
        root = self.paths.root
        try:
            _check_folder(root)
            begun = (root / RESOLVED).exists()
        except OSError as error:
            raise ValueError(f"--output-dir {str(root)[:200]!r} cannot be used: {error.strerror}") from None
        self._new = not begun
        if begun and not self._resume:
            raise ValueError(f"{str(root)!r} holds a run: go on with --resume, or choose another --output-dir")
        if self._resume and not begun:
            raise ValueError(f"--resume: {str(root)!r} holds no run")
        if root.exists() and not begun and any(p.name != "lock" and RESOLVED not in p.name for p in root.iterdir()):
            raise ValueError(f"--output-dir {str(root)!r} is not empty and holds no run")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--output-dir {str(root)!r} cannot be made: {error.strerror}") from None
        self._lock = self._take_lock(root)
        if begun:
            try:
                self._compare(root)
                _check_journal(self.paths)
            except ValueError:
                self._lock.close()
                raise
        if not begun:  # before anything else is there: a folder that holds more than the lock holds a run
            write_whole(root / RESOLVED, yaml.safe_dump(self._recipe, sort_keys=False, allow_unicode=True).encode())
        kill_marked(str(root))
        for folder in (self.paths.logs, self.paths.dataset, self.paths.rejects, self.paths.train):
            folder.mkdir(exist_ok=True)
        os.environ[RUN_MARK] = str(root)
        return self.paths

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.environ.pop(RUN_MARK, None)
        if self._lock is not None:
            self._lock.close()
        mistaken = kind is not None and issubclass(kind, ValueError | FileNotFoundError)
        if self._new and mistaken and not _has_attempts(self.paths.journal):
            shutil.rmtree(self.paths.root)  # the mended command may use the folder again

    @staticmethod
    def _take_lock(root: Path) -> IO[str]:
        lock = (root / "lock").open("a+", encoding="ascii")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a record lock: no child inherits it
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise ValueError(f"{str(root)!r} is in use by process {holder}") from None
        with named(root):
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        return lock

    def _compare(self, root: Path) -> None:
        """Refuse a recipe that would make something else; teachers may join, and be served in another way."""
        recorded = read_yaml(root / RESOLVED)
        known = {teacher["name"]: teacher for teacher in recorded["teachers"]}
        given = {teacher["name"]: teacher for teacher in self._recipe["teachers"]}
        for name in known:
            if name not in given:
                raise ValueError(f"--resume with another recipe: teachers: {name!r} of the run is not there any more")
        joined = [name for name in given if name not in known]
        for name in known:
            _compare_simulations(known[name], given[name])
        before, now = _flat(_by_teacher(recorded)), _flat(_by_teacher(self._recipe))
        now = {key: value for key, value in now.items() if not any(key.startswith(f"teachers.{n}.") for n in joined)}
        for key in sorted(before.keys() | now.keys()):
            free_keys = (*FREE_ON_RESUME, "pack.teachers") if joined else FREE_ON_RESUME
            if any(key == free or key.startswith(free + ".") for free in free_keys):
                continue
            if before.get(key) != now.get(key):
                raise ValueError(
                    f"--resume with another recipe: {key} was {before.get(key)!r} and is now {now.get(key)!r}"
                )
        if joined:
            write_whole(root / RESOLVED, yaml.safe_dump(self._recipe, sort_keys=False, allow_unicode=True).encode())


def _check_folder(root: Path) -> None:
    """Raise OSError where the path cannot name a folder."""
    try:
        status = root.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder")


def _compare_simulations(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse a simulated teacher that would answer in another way."""
    if before.get("kind") != "simulated" or now["kind"] != "simulated":
        return
    old, new = _flat(before["simulation"]), _flat(now["simulation"])
    for key in sorted(old.keys() | new.keys()):
        if any(key == of or key.startswith(of + ".") for of in SIMULATED_FROM) and old.get(key) != new.get(key):
            place = f"teachers.{now['name']}.simulation.{key}"
            raise ValueError(f"--resume with another recipe: {place} was {old.get(key)!r} and is now {new.get(key)!r}")


def _check_journal(paths: RunDirectory) -> None:
    """Refuse to begin anew what had been begun: without its journal a run would ask everything again, beside what it
    made before. A journal that is copied while the run goes on needs its `-wal`.
    """
    if not _has_attempts(paths.journal) and next(paths.dataset.glob("*/*.parquet"), None) is not None:
        raise ValueError(
            f"{str(paths.root)!r} holds a dataset and a journal without it: {paths.journal.name!r} (with its -wal,"
            " where there is one) was lost; bring it back, or begin in another --output-dir"
        )


def _by_teacher(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with what makes a teacher's answers under its name, without how it is served."""
    teachers = {teacher["name"]: {key: teacher.get(key) for key in ANSWERS_FROM} for teacher in recipe["teachers"]}
    return {**recipe, "teachers": teachers}


def _has_attempts(journal: Path) -> bool:
    """Whether anything was asked that must not be lost."""
    if not journal.exists():
        return False
    connection = open_for_reading(journal)
    try:
        return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM attempts)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return False
    except sqlite3.DatabaseError:  # damaged: whoever opens it next says so
        return True
    finally:
        connection.close()


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items = ((f"{place}.{key}" if place else str(key), item) for key, item in value.items())
    elif isinstance(value, list):
        items = ((f"{place}.{index}", item) for index, item in enumerate(value))
    else:
        return {place: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat.update(_flat(item, key))
    return flat
