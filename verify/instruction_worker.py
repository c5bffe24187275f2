"""Checks constraints on responses by the checkers of if-verifiable (IFEval's and IFBench's reference code), in a
process of its own that may be killed at any time. The only file that loads it. Run as
`python -m reasonmill.verify.instruction_worker LIMIT_S MEMORY_MIB`.

Nothing is downloaded and nothing drawn at random: sentences are split by the packaged Punkt model, languages detected
under a fixed seed, and a checker that reaches for chance is refused.
"""

import importlib.util
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from reasonmill.verify.worker_loop import OverLimit, bounded, serve

# What two checkers need of NLTK's data collection, which no package carries: they run where it is installed.
_NLTK_DATA = {
    "ratio:stop_words": "corpora/stopwords",
    "words:start_verb": "taggers/averaged_perceptron_tagger_eng",
}
# NLTK imports them where they are installed: 1.5 s and 160 MB for classifiers that nobody asks for here.
_NOT_NEEDED = ("matplotlib", "pandas", "scipy", "sklearn")


class _CannotCheck(Exception):
    """A constraint that this process cannot check; `result` is `bad_constraint` or `no_verifier`."""

    def __init__(self, result: str, detail: str) -> None:
        super().__init__(detail)
        self.result = result


class _NoChance:
    """Stands where a checker would draw what it was not told."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise _CannotCheck("bad_constraint", "an argument is missing: the checker would draw it at random")

        return refuse


class Checkers:
    """The checkers by id, loaded once."""

    def __init__(self) -> None:
        for name in _NOT_NEEDED:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # an import of it fails, which NLTK expects
        import langdetect
        import nltk
        import punkt

        langdetect.DetectorFactory.seed = 0
        nltk.download = lambda *_, **__: False  # IFBench's module asks for data when it is imported
        sentences = punkt.PunktSentenceTokenizer(punkt.load_model("english"))
        nltk.tokenize.sent_tokenize = lambda text, language="english": sentences.tokenize(text)
        _open_package("if_verifiable")
        self._checkers: dict[str, Any] = {}
        for benchmark in ("ifeval", "ifbench"):
            folder = f"if_verifiable.{benchmark}"
            registry = importlib.import_module(f"{folder}.instructions_registry")
            checks = importlib.import_module(f"{folder}.instructions")
            tools = importlib.import_module(f"{folder}.instructions_util")
            tools._get_sentence_tokenizer = lambda: sentences  # type: ignore[attr-defined]
            checks.random = tools.random = _NoChance()  # type: ignore[attr-defined]
            self._checkers |= registry.INSTRUCTION_DICT
        self._variants = importlib.import_module("if_verifiable.common").get_loose_transformations
        self._missing = {name: path for name, path in _NLTK_DATA.items() if not _found(nltk, path)}

    @property
    def ids(self) -> set[str]:
        """Constraints that the package checks."""
        return set(self._checkers)

    def followed(self, name: str, arguments: dict[str, Any], text: str, *, loose: bool) -> bool:
        """Whether the text meets one constraint; in loose mode, whether one of its eight variants does (without
        asterisks, without the first or the last line). An empty text meets none. Raises _CannotCheck.
        """
        if name in self._missing:
            raise _CannotCheck("no_verifier", f"{name} needs NLTK's data {self._missing[name]}, which is not installed")
        if name not in self._checkers:
            raise _CannotCheck("no_verifier", f"{name}: the installed if-verifiable has no such checker")
        checker = self._checkers[name](name)
        try:
            checker.build_description(**arguments)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _CannotCheck("bad_constraint", f"{name}: {type(error).__name__}: {error}") from None
        variants = self._variants(text) if loose else [text]
        return any(variant.strip() and bool(checker.check_following(variant)) for variant in variants)


def _open_package(name: str) -> None:
    """Make a package importable part by part without running its `__init__`, which loads a hub client."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"{name} is not installed: pip install 'reasonmill[instructions]'")
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


def _found(nltk: Any, path: str) -> bool:
    try:
        nltk.data.find(path)
    except LookupError:
        return False
    return True


def judge(checkers: Checkers, request: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """{"result": "checked", "followed": [bool, …]} in the order of the request's constraints; else `result` and
    `detail`, the former being `bad_constraint`, `no_verifier`, `checker_failed`, `over_limit` or `out_of_memory`.
    """
    text, loose = request["text"], request["loose"]
    name = ""

    def work() -> dict[str, Any]:
        nonlocal name
        followed: list[bool] = []
        for name, arguments in request["constraints"]:
            followed.append(checkers.followed(name, arguments, text, loose=loose))
        return {"result": "checked", "followed": followed}

    try:
        return bounded(limit_s, work)
    except OverLimit:
        return {"result": "over_limit", "detail": f"{name}: more than {limit_s:g} s"}
    except _CannotCheck as error:
        return {"result": error.result, "detail": str(error)}
    except (MemoryError, RecursionError) as error:
        return {"result": "out_of_memory", "detail": f"{name}: {type(error).__name__}"}
    except Exception as error:  # noqa: BLE001  # the package's own fault, told as that
        return {"result": "checker_failed", "detail": f"{name}: {type(error).__name__}: {str(error)[:200]}"}


def main() -> None:
    """Serve checks until the pipe ends."""
    limit_s, memory_mib = float(sys.argv[1]), int(sys.argv[2])
    loaded: list[Checkers] = []

    def warm_up() -> None:
        logging.disable(logging.ERROR)  # the checkers report texts without a language
        checkers = Checkers()
        checkers.followed("language:response_language", {"language": "en"}, "A sentence to load.", loose=False)
        loaded.append(checkers)

    serve(lambda request: judge(loaded[0], request, limit_s), memory_mib=memory_mib, warm_up=warm_up)


if __name__ == "__main__":
    main()
