"""How the reports evaluate, as values of EvaluateSettings: `reasonmill evaluate --preset nac`. What a report does not
say is left at the default. Benchmarks are known by the beginning of their names (`EvaluateSettings.samples_of`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_COMMON = {"temperature": 0.6, "top_p": 0.95}

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # arXiv 2505.14464 section 3.2
        "nac": {
            **_COMMON,
            "prompts": "nac",
            "max_tokens": 49_152,
            "samples": {"aime": 64, "livecodebench": 16, "lcb": 16, "math500": 4},
        },
        # arXiv 2505.08311 pages 9 and 10
        "amt": {
            **_COMMON,
            "prompts": "amt",
            "max_tokens": 49_152,
            "samples": {"aime": 64, "livecodebench": 16, "lcb": 16, "arenahard": 1},
        },
        # arXiv 2503.19633 section 3.1
        "1.4m": {
            **_COMMON,
            "prompts": "1.4m",
            "max_tokens": 32_768,
            "samples_per_question": 4,
            "samples": {"aime": 16},
        },
        # arXiv 2503.19855 page 4
        "think-twice": {
            **_COMMON,
            "rounds": 2,
            "max_tokens": 32_768,
            "samples": {"aime": 32, "livecodebench": 8, "lcb": 8, "gpqa": 8, "math500": 4},
        },
        # arXiv 2504.09639 page 5; of its benchmarks GPQA-Diamond alone is sampled, the others are greedy
        "lev": {
            "prompts": "lev",
            "max_tokens": 16_384,
            "temperature": 0.0,
            "samples_per_question": 1,
        },
        "lev-gpqa": {**_COMMON, "prompts": "lev", "max_tokens": 16_384, "samples_per_question": 8},
        # arXiv 2504.00829 section 4
        "difficulty": {
            **_COMMON,
            "max_tokens": 32_768,
            "samples": {"aime": 16, "math500": 16, "livecodebench": 4, "lcb": 4},
        },
    }
)
