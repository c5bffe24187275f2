"""A sample as the trainer sees it: which text is context, and which the loss is taken of."""

from collections.abc import Sequence

from rich.text import Text

_CONTEXT, _TARGET, _MARK = "dim", "bold green", "bold magenta"


def show_sample(spans: Sequence[tuple[str, bool]], *, name: str, num_tokens: int, num_targets: int) -> Text:
    """Context dim, targets green and, for where there is no colour, between ⟦ and ⟧. `spans` as
    `ChatEncoder.spans` gives them.
    """
    shown = Text()
    shown.append(f"── {name}: {num_tokens} tokens, loss on {num_targets} ──\n", style=_MARK)
    for text, is_target in spans:
        shown.append("⟦" if is_target else "", style=_MARK)
        shown.append(text, style=_TARGET if is_target else _CONTEXT)
        shown.append("⟧" if is_target else "", style=_MARK)
    shown.append("\n")
    return shown
