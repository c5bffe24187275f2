"""A sample as the trainer sees it: which text is context, and which the loss is taken of."""

from collections.abc import Sequence

from rich.text import Text

# Control characters but tab and line feed as pictures (U+2400 to U+2421): a sample does not write to the terminal.
_SEEN = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
_SEEN |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_CONTEXT, _TARGET, _MARK = "dim", "bold green", "bold magenta"


def show_sample(spans: Sequence[tuple[str, bool]], *, name: str, num_tokens: int, num_targets: int) -> Text:
    """Context dim, targets green and, for where there is no colour, between ⟦ and ⟧. `spans` as
    `ChatEncoder.spans` gives them; control characters are shown as pictures.
    """
    shown = Text()
    shown.append(f"── {name.translate(_SEEN)}: {num_tokens} tokens, loss on {num_targets} ──\n", style=_MARK)
    for text, is_target in spans:
        shown.append("⟦" if is_target else "", style=_MARK)
        shown.append(text.translate(_SEEN), style=_TARGET if is_target else _CONTEXT)
        shown.append("⟧" if is_target else "", style=_MARK)
    shown.append("\n")
    return shown
