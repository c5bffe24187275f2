"""Multi-round thinking: the prompt of the source, built from the question and the last answer alone."""

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.distill.conversation import messages_of_round
from reasonmill.engine.records import Message

ASKED = (Message(role="system", content="be brief"), Message(role="user", content="What is {answer}?"))


def test_the_next_round_quotes_the_last_answer_word_for_word():
    again = messages_of_round(ASKED, " 42 \n")
    assert again[0] == ASKED[0]
    assert again[1].content == (
        "What is {answer}?\nThe assistant\u2019s previous answer is: <answer> 42 </answer>, and please re-answer."
    )


@given(question=st.text(max_size=50), answer=st.text(max_size=50))
def test_any_text_is_quoted_as_it_is(question, answer):
    again = messages_of_round((Message(role="user", content=question),), answer)[-1].content
    assert again.startswith(question + "\nThe assistant")
    assert again.endswith(f"<answer> {answer.strip()} </answer>, and please re-answer.")


def test_without_an_answer_the_question_is_put_as_it_was():
    assert messages_of_round(ASKED, None) is ASKED
