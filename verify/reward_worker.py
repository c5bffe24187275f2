"""Rates answers by a reward model, a transformers sequence classifier that gives a number per attribute, in a process
of its own. Run as `python -m reasonmill.verify.reward_worker LIMIT_S MEMORY_MIB MODEL LABELS DEVICE MAX_TOKENS TRUST`.
"""

import sys
from typing import Any

from reasonmill.verify.worker_loop import serve

ATTRIBUTES = ("coherence", "correctness", "helpfulness")


class RewardModel:
    """A loaded model. `labels` names its outputs in order, separated by commas; empty: as its configuration does."""

    def __init__(self, model: str, labels: str, device: str, max_tokens: int, *, trust: bool) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self._torch = torch
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._max_tokens = max_tokens
        self._tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=trust)
        loaded = AutoModelForSequenceClassification.from_pretrained(
            model, trust_remote_code=trust, dtype="auto" if self._device != "cpu" else torch.float32
        )
        self._model = loaded.to(self._device).eval()
        config = loaded.config
        names = [one.strip() for one in labels.split(",")] if labels else list(config.id2label.values())
        found = [name.lower() for name in names]
        if missing := [one for one in ATTRIBUTES if one not in found]:
            raise ValueError(f"{model} has no output {', '.join(missing)}: its outputs are {names}")
        if len(names) != config.num_labels:
            raise ValueError(f"{model} has {config.num_labels} outputs, not {len(names)}: {names}")
        self._places = [found.index(one) for one in ATTRIBUTES]
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        config.pad_token_id = self._tokenizer.pad_token_id

    def rate(self, pairs: list[tuple[str, str]]) -> list[list[float] | None]:
        """A number per attribute and (prompt, answer) pair; None for a pair of too many tokens."""
        torch = self._torch
        tokens = [self._tokens(prompt, answer) for prompt, answer in pairs]
        short = [one for one in tokens if len(one) <= self._max_tokens]
        if not short:
            return [None] * len(pairs)
        batch = self._tokenizer.pad({"input_ids": short}, padding=True, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            logits = self._model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        rated = iter(logits[:, self._places].float().tolist())
        return [next(rated) if len(one) <= self._max_tokens else None for one in tokens]

    def _tokens(self, prompt: str, answer: str) -> list[int]:
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(f"{prompt}\n\n{answer}")["input_ids"])
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def main() -> None:
    """Serve ratings until the pipe ends."""
    memory_mib, model, labels, device, max_tokens, trust = int(sys.argv[2]), *sys.argv[3:8]
    loaded: list[RewardModel] = []

    def warm_up() -> None:
        try:
            loaded.append(RewardModel(model, labels, device, int(max_tokens), trust=trust == "1"))
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            sys.exit(f"reward.model {model!r}: {type(error).__name__}: {str(error)[:500]}")

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"rated": loaded[0].rate(request["pairs"])}
        except RuntimeError as error:  # out of the accelerator's memory, and its like
            return {"problem": f"{type(error).__name__}: {str(error)[:300]}"}

    serve(handle, memory_mib=memory_mib, warm_up=warm_up)


if __name__ == "__main__":
    main()
