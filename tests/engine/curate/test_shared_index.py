"""The memory that several writers share, against a real Redis server."""

import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from reasonmill.engine.curate.shared_index import RedisAddress, SharedIndex
from reasonmill.kernels.corpus import Banding, Corpus

SERVER = shutil.which("redis-server")
pytestmark = [
    pytest.mark.skipif(SERVER is None, reason="no redis-server here: apt-get install redis-server"),
    pytest.mark.skipif(find_spec("redis") is None, reason="no client: pip install 'reasonmill[redis]'"),
]
WORDS = [f"{a}{b}" for a in ("stone", "river", "cloud", "ember", "field") for b in ("s", "ing", "ed", "er")]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert SERVER is not None
    command = [SERVER, "--port", str(free), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(free)
            yield free
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("redis-server did not come up")


def opened(port: int, name: str) -> SharedIndex:
    return SharedIndex(RedisAddress(host="127.0.0.1", port=port, name=name))


def family(rng: random.Random, count: int) -> list[str]:
    words = rng.choices(WORDS, k=50)
    texts = []
    for _ in range(count):
        words = list(words)
        words[rng.randrange(50)] = rng.choice(WORDS)
        texts.append(" ".join(words))
    return texts


def test_one_writer_keeps_what_one_pass_keeps(port: int) -> None:
    rng = random.Random(1)
    texts = [text for _ in range(12) for text in family(rng, 4)] + ["short", "SHORT", "other one"]
    ids = [f"{n:03}" for n in range(len(texts))]
    index = opened(port, "one")
    answers = [answer for at in range(0, len(ids), 10) for answer in index.keep(ids[at : at + 10], texts[at : at + 10])]
    found = Corpus(texts, banding=Banding()).duplicates(0.8, order=np.arange(len(texts)))
    assert answers == [None if of == n else ids[of] for n, of in enumerate(found.kept_as.tolist())]
    assert 0 < sum(answer is not None for answer in answers) < len(ids)
    index.close()


def test_a_batch_that_is_said_again_gets_the_same_answer(port: int) -> None:
    texts = family(random.Random(2), 8)
    ids = [f"{n}" for n in range(8)]
    index = opened(port, "again")
    first = index.keep(ids, texts)
    assert index.keep(ids, texts) == first
    assert opened(port, "again").keep(["x"], [texts[0].upper()]) == ["0"]
    index.close()


def test_of_two_writers_at_once_one_keeps_each_text(port: int) -> None:
    rng = random.Random(3)
    families = [family(rng, 3) for _ in range(20)]
    answers: dict[str, str | None] = {}

    def write(writer: str) -> None:
        index = opened(port, "two")
        for number, texts in enumerate(families):
            ids = [f"{writer}-{number}-{n}" for n in range(3)]
            answers.update(zip(ids, index.keep(ids, [f"{text} {writer}" for text in texts]), strict=True))
        index.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(answers) == 120
    for id_, of in answers.items():
        assert of is None or answers[of] is None, f"{id_} is stood for by {of}, which is kept"
    for number in range(20):
        kept = [id_ for id_, of in answers.items() if of is None and id_.split("-")[1] == str(number)]
        assert 1 <= len(kept) <= 3


def test_texts_with_other_numbers_are_both_kept_unless_they_may_differ(port: int) -> None:
    text = "{} red apples lie on the table, and Ann sells half of them to Bob, so how many are left in the end"
    index = opened(port, "numbers")
    assert index.keep(["a"], [text.format(3)]) == [None]
    assert index.keep(["b"], [text.format(4)]) == [None]
    assert index.keep(["c"], [text.format(5) + " now"], loose=[True]) == [None], "the kept ones are not loose"
    assert index.keep(["d"], [text.format(6) + " now"], loose=[True]) == ["c"]
    index.close()


def test_a_memory_of_another_making_and_an_id_given_twice_are_refused(port: int) -> None:
    opened(port, "version").close()
    with pytest.raises(ValueError, match="was made with"):
        SharedIndex(RedisAddress(host="127.0.0.1", port=port, name="version"), banding=Banding(seed=2))
    with pytest.raises(ValueError, match="an id twice"):
        opened(port, "twice").keep(["a", "a"], ["one", "two"])
    assert opened(port, "twice").keep([], []) == []
