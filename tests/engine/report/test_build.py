import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.report.build import build_report

VOID = {"meta", "br", "img", "hr", "link", "input"}
SECTIONS = ["overview", "funnel", "attempts", "dataset", "training", "evaluation", "pace", "provenance"]
# what a run has written at some moment of its life
EVERY_FILE = (
    "summary.json",
    "evaluation.json",
    "metrics.jsonl",
    "trace.json",
    "journal.sqlite",
    "recipe.resolved.yaml",
    "train",
    "dataset",
    "rejects",
)


class Page(HTMLParser):
    """Elements, ids and text of a page; unbalanced tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.identifiers: list[str] = []
        self.attributes: set[str] = set()
        self.targets: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.identifiers += [value for name, value in attrs if name == "id" and value]
        self.targets += [value for name, value in attrs if name in ("href", "src", "action") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def built(run_dir: Path) -> tuple[Page, str]:
    path = build_report(run_dir)
    assert path == run_dir / "report.html"
    text = path.read_text(encoding="utf-8")
    return Page(text), text


@pytest.fixture
def copied(run_dir: Path, tmp_path: Path) -> Path:
    """A copy of the made-up run that a test may change."""
    return shutil.copytree(run_dir, tmp_path / "run")


def test_a_finished_run_makes_a_whole_page(copied: Path) -> None:
    page, text = built(copied)
    assert page.identifiers == SECTIONS
    assert "What is missing" not in text
    assert len(re.findall("<svg", text)) >= 14
    words = " ".join(page.text)
    for figure in ("487", "84.2 %", "2.31", "99.31 %", "generation ← bottleneck", "contaminated_ngram"):
        assert figure in words, figure


def test_the_page_needs_nothing_else(copied: Path) -> None:
    page, text = built(copied)
    assert all(target.startswith("#") for target in page.targets)
    assert not page.elements & {"script", "img", "link", "iframe", "object", "embed", "form"}
    assert "url(" not in text
    assert "@import" not in text
    assert re.search(r"(src|href)=\"?(https?:)?//", text) is None


def test_text_of_the_data_never_becomes_an_element(copied: Path) -> None:
    page, _ = built(copied)
    assert not {name for name in page.attributes if name.startswith("on")}
    assert not page.elements & {"script", "img", "b"}
    shown = " ".join(page.text)
    assert "</title><script>alert('x')</script>" in shown  # the question is there, as text
    assert "tiny <b>reasoner</b>" in shown


@pytest.mark.parametrize("absent", EVERY_FILE)
def test_a_page_without_one_part_says_what_is_missing(absent: str, copied: Path) -> None:
    gone = copied / absent
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    page, text = built(copied)
    assert page.identifiers == SECTIONS
    if absent != "rejects":  # only the examples of removed questions are from there
        assert "What is missing from this page" in text
        assert f"<li>{absent}" in text


def test_an_empty_folder_makes_a_page_that_names_everything(tmp_path: Path) -> None:
    page, text = built(tmp_path)
    assert page.identifiers == SECTIONS
    for name in ("summary.json", "journal.sqlite", "dataset/", "trace.json", "evaluation.json", "train/metrics.jsonl"):
        assert f"<li>{name}" in text, name


def test_without_a_summary_the_figures_come_from_the_journal(copied: Path) -> None:
    (copied / "summary.json").unlink()
    page, _ = built(copied)
    words = " ".join(page.text)
    assert "no summary" in words
    assert "487" in words
    assert "400 kept by curation" in words


@pytest.mark.parametrize(
    "name", ["summary.json", "evaluation.json", "trace.json", "journal.sqlite", "train/metrics.jsonl"]
)
def test_a_torn_file_is_named_and_the_rest_is_shown(name: str, copied: Path) -> None:
    path = copied / name
    path.write_bytes(path.read_bytes()[:700] if name != "trace.json" else b"{")
    page, text = built(copied)
    assert page.identifiers == SECTIONS
    if name != "train/metrics.jsonl":  # its torn last line is left out, what precedes it counts
        assert f"<li>{name}" in text


def test_a_broken_shard_is_named_and_the_others_count(copied: Path) -> None:
    shard = min((copied / "dataset").glob("*/math-*.parquet"))
    shard.write_bytes(b"PAR1")
    _, text = built(copied)
    assert f"dataset/{shard.parent.name}/{shard.name}".replace("<", "&lt;").replace(">", "&gt;") in text
    assert orjson.loads((copied / "analysis.json").read_bytes())["dataset"]["samples"] > 300


def test_values_of_the_wrong_kind_do_not_stop_the_page(copied: Path) -> None:
    odd = {
        "run": 7,
        "state": ["x"],
        "queries_in": "many",
        "removed": [1],
        "unanswered": {"a": "b"},
        "pairs": None,
        "accepted": True,
        "fill": 1e400,
        "stages": {"name": "x"},
        "hardware": [],
        "versions": "1",
        "pass_at_1": 3,
        "attempts_by_number_accepted": {"one": 1},
        "started_unix_s": "noon",
    }
    (copied / "summary.json").write_text(
        str(odd).replace("'", '"').replace("None", "null").replace("True", "true").replace("inf", "1e999")
    )
    (copied / "evaluation.json").write_text('{"results": [{"role": "teacher", "pass_at_1": "high"}, 3]}')
    (copied / "train" / "metrics.jsonl").write_text('{"step": 1, "loss": null}\n{"step": "2"}\n[1]\n')
    (copied / "metrics.jsonl").write_text('{"unix_s": 1, "counters": [], "channels": 3}\n{"unix_s": 2}\n')
    page, _ = built(copied)
    assert page.identifiers == SECTIONS


def test_the_same_files_make_the_same_page(copied: Path) -> None:
    first = build_report(copied).read_bytes()
    assert build_report(copied).read_bytes() == first


def test_the_numbers_behind_the_page_add_up(copied: Path) -> None:
    build_report(copied)
    analysis = orjson.loads((copied / "analysis.json").read_bytes())
    dataset = analysis["dataset"]
    accepted = analysis["run_figures"]["accepted"]
    whole = next(e for e in dataset["lengths"] if e["teacher"] is None and e["category"] is None)
    assert dataset["samples"] == whole["samples"] == accepted
    assert whole["tokens"] == analysis["run_figures"]["accepted_tokens"]
    assert sum(whole["histogram_1024"]) == sum(whole["histogram"]["counts"]) == accepted
    assert sum(dataset["instance_share"].values()) == pytest.approx(1)
    assert all(sum(shares.values()) == pytest.approx(1) for shares in dataset["token_share"].values())
    assert sum(e["accepted"] for e in analysis["acceptance"]) == accepted
    assert len(analysis["loss"]["loss"]) == 240


def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        build_report(tmp_path / "nowhere")
