"""The report of a run: one HTML file that needs nothing else, and the numbers behind it as `analysis.json`.

Made from the run directory alone, at any moment: what a run has not reached yet is named on the page. Text from the
data is text on the page, whatever it holds. The same files make the same page.
"""

from importlib.resources import files
from pathlib import Path

import orjson

from reasonmill.engine.report.analysis import analyse
from reasonmill.engine.report.html import Markup, join, tag
from reasonmill.engine.report.run_figures import RunFigures, gather
from reasonmill.engine.report.sections.attempts import attempts
from reasonmill.engine.report.sections.dataset import dataset
from reasonmill.engine.report.sections.evaluation import evaluation
from reasonmill.engine.report.sections.funnel import funnel
from reasonmill.engine.report.sections.overview import header, overview
from reasonmill.engine.report.sections.pace import pace
from reasonmill.engine.report.sections.provenance import provenance
from reasonmill.engine.report.sections.training import training
from reasonmill.engine.store.aside import write_whole

_SECTIONS = (
    ("overview", "Overview", overview),
    ("funnel", "Funnel", funnel),
    ("attempts", "Attempts", attempts),
    ("dataset", "Dataset", dataset),
    ("training", "Training", training),
    ("evaluation", "Evaluation", evaluation),
    ("pace", "Pace", pace),
    ("provenance", "Provenance", provenance),
)
# no script, no image, no request: even text that slipped through could do nothing
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def build_report(run_dir: Path) -> Path:
    """Write `report.html` and `analysis.json` into the run directory; returns the path of the page.

    Raises ValueError where there is no such folder, OSError where the files cannot be written.
    """
    run = gather(run_dir)
    analysis = orjson.dumps(
        analyse(run), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    )
    write_whole(run_dir / "analysis.json", analysis)
    path = run_dir / "report.html"
    write_whole(path, page(run).encode("utf-8", "replace"))
    return path


def page(run: RunFigures) -> str:
    """The page as text."""
    style = Markup((files(__package__) / "page.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{run.files.name} · reasonmill report"),
        tag("style", style),
    )
    navigation = tag("nav", [tag("a", title, href=f"#{key}") for key, title, _ in _SECTIONS], aria_label="sections")
    body = tag("body", tag("main", header(run), navigation, [build(run) for _, _, build in _SECTIONS], _foot(run)))
    return "<!doctype html>\n" + tag("html", join([head, "\n", body]), lang="en") + "\n"


def _foot(run: RunFigures) -> Markup:
    version = run.files.summary.get("versions")
    name = version.get("reasonmill") if isinstance(version, dict) else None
    return tag(
        "footer", f"Made by reasonmill{f' {name}' if name else ''} from the files of this run; it needs no network."
    )
