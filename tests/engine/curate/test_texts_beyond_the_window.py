"""The packaged model on texts of any length: nothing is cut off, and a vector depends on its own text alone."""

import random

import numpy as np
import pytest

from reasonmill.engine.curate.embedding_model import model_folder
from reasonmill.engine.curate.window_encoder import WindowEncoder, load_encoder

QUESTION = "How many legs do seven spiders and three dogs have together?"
PARAPHRASE = "Seven spiders and three dogs: how many legs do they have altogether?"
STORIES = (
    "The lighthouse keeper counts the ships that pass before midnight, and writes each name into a blue book with the "
    "hour, the wind and the colour of its lamps, because the harbour office asks for them at the end of every month.",
    "A bakery in Lyon sells rye bread on weekdays and sweet rolls on Sundays; the baker's daughter draws the price of "
    "each on a slate, and when rain washes it off she asks her neighbours what they paid the day before.",
    "In the archive of the observatory lie letters about a comet that was seen over the desert, together with maps on "
    "which somebody marked in red ink every village where the night watch had rung the bells.",
)


@pytest.fixture(scope="module")
def encoder() -> WindowEncoder:
    return load_encoder(model_folder(None), "float32", "cpu", 8)


def long_text(end: str, parts: int = 4) -> str:
    rng = random.Random(5)
    return "\n\n".join([*(" ".join(rng.sample(STORIES, 3)) for _ in range(parts)), end])


def likeness(encoder: WindowEncoder, text: str, question: str) -> float:
    return float((encoder.encode([text]).vectors @ encoder.encode([question]).vectors.T).max())


def test_a_question_at_the_end_of_a_long_text_is_read(encoder: WindowEncoder) -> None:
    text = long_text(PARAPHRASE)
    num_tokens = len(encoder._tokens([text])[0])
    assert num_tokens > 2 * encoder.room
    assert likeness(encoder, text, QUESTION) == pytest.approx(likeness(encoder, PARAPHRASE, QUESTION), abs=1e-4)
    assert likeness(encoder, text, QUESTION) > 0.9
    assert likeness(encoder, long_text("Where do the letters lie?"), QUESTION) < 0.6
    start = encoder._vectors([encoder._tokens([text])[0][: encoder.room]])
    assert float((start @ encoder.encode([QUESTION]).vectors.T).max()) < 0.6, "what a truncated text would have given"


def test_texts_that_fit_have_the_vectors_of_sentence_transformers(encoder: WindowEncoder) -> None:
    texts = [QUESTION, PARAPHRASE, *STORIES, "", "小明有三个苹果"]
    found = encoder.encode(texts)
    assert found.counts.tolist() == [1] * len(texts)
    expected = encoder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert np.abs(found.vectors - expected).max() < 1e-5


def test_a_vector_is_the_same_bits_whatever_the_other_texts_are(encoder: WindowEncoder) -> None:
    rng = random.Random(7)
    words = " ".join(STORIES).split()
    texts = [" ".join(rng.choices(words, k=rng.randrange(1, 60))) for _ in range(7)] + [long_text(QUESTION, 2)]
    together = encoder.encode(texts)
    ends = np.cumsum(together.counts)
    apart = [encoder.encode([text]).vectors for text in texts]
    assert all((one == other).all() for one, other in zip(apart, np.split(together.vectors, ends[:-1]), strict=True))
    order = rng.sample(range(len(texts)), len(texts))
    again = encoder.encode([texts[at] for at in order]).vectors
    assert (again == np.concatenate([apart[at] for at in order])).all()
