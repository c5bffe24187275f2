from rich.console import Console

from reasonmill.engine.embedded import TINY_TEACHER
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.show import show_sample


def shown(console: Console, messages) -> str:
    encoder = ChatEncoder(TINY_TEACHER)
    encoded = encoder.encode(messages)
    sizes = {"num_tokens": len(encoded.target), "num_targets": int(encoded.target.sum())}
    with console.capture() as capture:
        console.print(show_sample(encoder.spans(encoded), name="q1", **sizes))
    return capture.get()


def test_a_sample_does_not_command_the_terminal():
    text = shown(Console(width=400), [("user", "a\x1b[2J\r\x07\tb"), ("assistant", "<think>\x9b1m</think>\x7f7")])
    assert "a␛[2J␍␇" in text
    assert "<think>\ufffd1m</think>␡7" in text


MESSAGES = [("user", "What is 3 + 4? [bold]not markup[/bold]"), ("assistant", "<think>3 + 4 = 7</think>7")]


def test_the_target_is_marked_even_without_colour():
    text = shown(Console(width=400), MESSAGES)
    before, _, target = text.partition("⟦")
    assert "[bold]not markup[/bold]" in before
    assert target.partition("⟧")[0].startswith("<think>3 + 4 = 7</think>7<")
    assert "\x1b[" not in text


def test_a_terminal_shows_context_and_target_in_colours_of_their_own():
    text = shown(Console(width=400, force_terminal=True, color_system="truecolor"), MESSAGES)
    assert "\x1b[2m" in text
    assert "\x1b[1;32m<think>" in text
