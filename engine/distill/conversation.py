"""What a teacher is asked at each attempt. In multi-round thinking (arXiv 2503.19855 section 2) the question is put
again with the answer of the last round; the thinking of that round is discarded.
"""

from dataclasses import replace

from reasonmill.engine.records import Message

# arXiv 2503.19855 page 3, word for word
ROUND_PROMPT = "{prompt}\nThe assistant\u2019s previous answer is: <answer> {answer} </answer>, and please re-answer."


def messages_of_round(messages: tuple[Message, ...], last_answer: str | None) -> tuple[Message, ...]:
    """The conversation of the next round: always built from the original one, never from the round before it.

    Without an answer (the last round did not come to one) the question is put as it was.
    """
    if last_answer is None:
        return messages
    question = messages[-1]
    again = ROUND_PROMPT.format(prompt=question.content, answer=last_answer.strip())
    return (*messages[:-1], replace(question, content=again))
