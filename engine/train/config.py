"""What one training run needs to know, as one JSON file: the only thing handed to the ranks."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.train.preference_settings import PreferenceSettings
from reasonmill.engine.train.settings import ModelShape, TrainSettings, ZeroSettings


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings and places. `packed` is read, the others are written; `tokenizer` is copied into the model folders."""

    packed: str
    output_dir: str
    student_dir: str
    tokenizer: str
    settings: TrainSettings

    def write(self, path: str | Path) -> None:
        """Write aside, then rename."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.partial")
        aside.write_bytes(orjson.dumps(dataclasses.asdict(self), option=orjson.OPT_INDENT_2))
        aside.replace(path)

    @classmethod
    def read(cls, path: str | Path) -> "TrainConfig":
        """The configuration in `path`. Raises ValueError naming the file and what is wrong with it."""
        path = Path(path)
        try:
            content: dict[str, Any] = orjson.loads(path.read_bytes())
            settings = dict(content.pop("settings"))
            settings["zero"] = ZeroSettings(**settings["zero"])
            if settings.get("preference") is not None:
                settings["preference"] = PreferenceSettings(**settings["preference"])
            if isinstance(settings["model"], dict):
                settings["model"] = ModelShape(**settings["model"])
            return cls(**content, settings=TrainSettings(**settings))
        except FileNotFoundError:
            raise ValueError(f"training configuration {str(path)!r} does not exist") from None
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"training configuration {str(path)!r}: {error}") from None
