"""The embedded default: toy tasks, the tiny teacher that answers them, and the quickstart inputs."""

from pathlib import Path

TINY_TEACHER = Path(__file__).resolve().parent / "tiny_teacher"  # the shipped checkpoint, a transformers model folder
