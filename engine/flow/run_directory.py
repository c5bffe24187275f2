"""The folder of one run: held by one coordinator at a time, and resumed only with the recipe that began it."""

import fcntl
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from reasonmill.engine.flow.lifeline import RUN_MARK, kill_marked
from reasonmill.engine.recipe_loader import as_plain, read_yaml
from reasonmill.engine.store.aside import write_whole
from reasonmill.engine.store.journal import open_for_reading

RESOLVED = "recipe.resolved.yaml"
# Keys that may differ on --resume: they change how fast a run goes, not what it makes.
FREE_ON_RESUME = (
    "card",
    "run.output_dir",
    "verify",
    "attempts.max_open_queries",
    "attempts.max_faults",
    "attempts.max_check_retries",
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
    def dataset(self) -> Path:
        """Parquet shards by teacher."""
        return self.root / "dataset"

    @property
    def rejects(self) -> Path:
        """What left the run."""
        return self.root / "rejects"

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
        begun = (root / RESOLVED).exists()
        self._new = not begun
        if begun and not self._resume:
            raise ValueError(f"{str(root)!r} holds a run: go on with --resume, or choose another --output-dir")
        if self._resume and not begun:
            raise ValueError(f"--resume: {str(root)!r} holds no run")
        if root.exists() and not begun and any(p.name != "lock" for p in root.iterdir()):
            raise ValueError(f"--output-dir {str(root)!r} is not empty and holds no run")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--output-dir {str(root)!r} cannot be made: {error.strerror}") from None
        self._take_lock(root)
        if begun:
            self._compare(root)
        kill_marked(str(root))
        for folder in (self.paths.logs, self.paths.dataset, self.paths.rejects, self.paths.train):
            folder.mkdir(exist_ok=True)
        if not begun:
            write_whole(root / RESOLVED, yaml.safe_dump(self._recipe, sort_keys=False, allow_unicode=True).encode())
        os.environ[RUN_MARK] = str(root)
        return self.paths

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.environ.pop(RUN_MARK, None)
        if self._lock is not None:
            self._lock.close()
        mistaken = kind is not None and issubclass(kind, ValueError | FileNotFoundError)
        if self._new and mistaken and not _has_attempts(self.paths.journal):
            shutil.rmtree(self.paths.root)  # the mended command may use the folder again

    def _take_lock(self, root: Path) -> None:
        self._lock = (root / "lock").open("a+")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a record lock: no child inherits it
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            raise ValueError(f"{str(root)!r} is in use by process {holder}") from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _compare(self, root: Path) -> None:
        before, now = _flat(read_yaml(root / RESOLVED)), _flat(self._recipe)
        for key in sorted(before.keys() | now.keys()):
            if any(key == free or key.startswith(free + ".") for free in FREE_ON_RESUME):
                continue
            if before.get(key) != now.get(key):
                raise ValueError(
                    f"--resume with another recipe: {key} was {before.get(key)!r} and is now {now.get(key)!r}"
                )


def _has_attempts(journal: Path) -> bool:
    """Whether anything was asked that must not be lost."""
    if not journal.exists():
        return False
    connection = open_for_reading(journal)
    try:
        return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM attempts)").fetchone()[0])
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
