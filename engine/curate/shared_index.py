"""One memory of kept texts for several writers, in Redis: datasketch's LSH proposes, the exact similarity of the texts
decides, as everywhere else. `pip install 'reasonmill[redis]'`.

Writers take turns, batch by batch, under a lock in Redis; a text claims to be kept by its batch first, by its id then.
A batch that is said again, after its writer died perhaps, gets the same answer. A lock that is lost to a clock (a batch
of minutes) is an error, and the batch is to be said again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import orjson

from reasonmill.engine.curate.index import made_with
from reasonmill.kernels import corpus, minhash
from reasonmill.kernels.corpus import Banding
from reasonmill.kernels.prints import Prints

LOCK_S = 120.0  # for which a writer may hold its turn; longer, and it counts as dead


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisAddress:
    """Where the memory is; `name` leads all its keys, so that one server may hold several."""

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    name: str = "reasonmill"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """A text of the memory: its place in the order of claims, and whether its numbers may differ."""

    place: int
    loose: bool
    id: bytes
    text: str


class SharedIndex:
    """Texts that some writer kept. Raises ValueError for a memory that was made by other algorithms."""

    def __init__(self, address: RedisAddress, *, threshold: float = 0.8, banding: Banding | None = None) -> None:
        redis, datasketch = import_module("redis"), import_module("datasketch")
        self._name = address.name
        self._threshold = threshold
        self._banding = banding or Banding()
        where = {"host": address.host, "port": address.port, "db": address.db}
        self._redis: Any = redis.Redis(**where)
        self._check_version()
        self._minhash = datasketch.MinHash
        sizes = self._banding
        self._lsh: Any = datasketch.MinHashLSH(
            num_perm=sizes.bands * sizes.rows,
            params=(sizes.bands, sizes.rows),
            storage_config={"type": "redis", "basename": f"{self._name}:lsh".encode(), "redis": where},
            prepickle=False,  # ids are bytes: nothing that lies in Redis is unpickled
        )

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _check_version(self) -> None:
        key = f"{self._name}:made_with"
        wanted = orjson.dumps(made_with(self._banding), option=orjson.OPT_SORT_KEYS)
        if not self._redis.set(key, wanted, nx=True) and (found := self._redis.get(key)) != wanted:
            raise ValueError(f"the Redis index {self._name!r} was made with {found!r}, this version has {wanted!r}")

    def keep(self, ids: Sequence[str], texts: Sequence[str], *, loose: Sequence[bool] = ()) -> list[str | None]:
        """For each text the id of the kept one that stands for it, or None where it is kept, from now on.

        `loose`: whose numbers may differ from each other's. Raises ValueError for an id given twice.
        """
        if len(set(ids)) != len(ids):
            raise ValueError("a batch has an id twice")
        if not ids:
            return []
        names = [id_.encode("utf-8", "surrogatepass") for id_ in ids]
        flags = list(loose) or [False] * len(ids)
        prints, _ = corpus.read(texts, banding=self._banding)
        sketches = self._sketches(texts)
        with self._redis.lock(f"{self._name}:lock", timeout=LOCK_S) as lock:
            known = self._candidates(names, prints, sketches)
            kept_as = self._decide(names, texts, prints, flags, known)
            lock.reacquire()  # raises LockNotOwnedError where the turn is over, before anything is written
            new = [place for place, name in enumerate(names) if kept_as[place] == name]
            self._remember(new, names, texts, prints, flags, sketches)
        return [
            None if of == name else of.decode("utf-8", "surrogatepass") for of, name in zip(kept_as, names, strict=True)
        ]

    def _sketches(self, texts: Sequence[str]) -> list[Any]:
        sizes = self._banding
        count = sizes.bands * sizes.rows
        slots = minhash.signatures(texts, count, sizes.ngram, sizes.seed)
        return [self._minhash(num_perm=count, seed=sizes.seed, hashvalues=row, scheme="affine32") for row in slots]

    def _candidates(self, names: Sequence[bytes], prints: Prints, sketches: Sequence[Any]) -> list[_Known]:
        """What of the memory may be like one of the batch, in the order of claims."""
        found = {name for sketch in sketches for name in self._lsh.query(sketch)}
        same = self._redis.hmget(f"{self._name}:keys", [key.tobytes() for key in prints.keys])
        wanted = sorted({*found, *names, *(name for name in same if name is not None)})
        values = self._redis.hmget(f"{self._name}:texts", wanted)
        known = [
            _Known(
                place=int.from_bytes(value[:8], "little"),
                loose=value[8] == 1,
                id=name,
                text=value[9:].decode("utf-8", "surrogatepass"),
            )
            for name, value in zip(wanted, values, strict=True)
            if value is not None
        ]
        return sorted(known, key=lambda one: one.place)

    def _decide(
        self,
        names: Sequence[bytes],
        texts: Sequence[str],
        prints: Prints,
        flags: Sequence[bool],
        known: Sequence[_Known],
    ) -> list[bytes]:
        """For each text the id of the one that stands for it, its own if it is kept."""
        known_texts = [one.text for one in known]
        known_prints, _ = corpus.read(known_texts, banding=self._banding)
        count = len(known)
        place_of = {one.id: place for place, one in enumerate(known)}
        order = sorted(range(len(names)), key=names.__getitem__)
        found = corpus.find_duplicates(
            [*known_texts, *texts],
            Prints.joined([known_prints, prints], self._banding.bands),
            self._threshold,
            ngram=self._banding.ngram,
            order=np.array([*range(count), *(count + place for place in order)], np.int64),
            active=np.array([True] * count + [name not in place_of for name in names], np.bool_),
            loose=np.array([*(one.loose for one in known), *flags], np.bool_),
            settled=np.arange(count + len(names)) < count,
        )
        all_names = [*(one.id for one in known), *names]
        return [
            name if name in place_of else all_names[int(found.kept_as[count + place])]
            for place, name in enumerate(names)
        ]

    def _remember(
        self,
        new: Sequence[int],
        names: Sequence[bytes],
        texts: Sequence[str],
        prints: Prints,
        flags: Sequence[bool],
        sketches: Sequence[Any],
    ) -> None:
        """Texts and keys first: a batch that was broken off behind them is known, and said again it is completed."""
        if not new:
            return
        last = int(self._redis.incrby(f"{self._name}:claims", len(new)))
        batch = self._redis.pipeline(transaction=True)
        for claim, place in enumerate(sorted(new, key=names.__getitem__), start=last - len(new)):
            head = claim.to_bytes(8, "little") + bytes([flags[place]])
            content = head + texts[place].encode("utf-8", "surrogatepass")
            batch.hsetnx(f"{self._name}:texts", names[place], content)
            batch.hsetnx(f"{self._name}:keys", prints.keys[place].tobytes(), names[place])
        batch.execute()
        with self._lsh.insertion_session() as session:
            for place in new:
                if prints.num_words[place] >= self._banding.ngram:
                    session.insert(names[place], sketches[place], check_duplication=False)
