"""Tokenizers from Hugging Face folders, through the `tokenizers` library alone."""

from pathlib import Path
from typing import Any


def load_tokenizer(folder: Path) -> Any:
    """The `tokenizers.Tokenizer` of `folder/tokenizer.json`. Raises ValueError naming the folder or the file."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ValueError(
            f"tokenizer folder {str(folder)!r} has no tokenizer.json; "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes one"
        )
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception for a file it cannot read
        raise ValueError(f"tokenizer file {str(path)!r} cannot be read: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def vocab_size(tokenizer: Any) -> int:
    """One more than the largest token id, added tokens among them."""
    return int(max(tokenizer.get_vocab(with_added_tokens=True).values())) + 1
