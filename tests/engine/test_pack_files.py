import subprocess
import sys

import orjson
import pytest
import zstandard

from reasonmill.engine.cli import run_command
from reasonmill.engine.pack_files import pack_files, survey_files
from reasonmill.engine.store.export import to_messages, to_released, to_sharegpt
from reasonmill.packing.byte_tokenizer import CHATML, write_byte_tokenizer
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.settings import PackSettings


def write(path, rows) -> str:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def shard_row(number: int, teacher: str = "a", response: str = "<think>t</think>4") -> dict:
    question = [{"role": "user", "content": f"{number}?"}]
    return {"id": f"q{number}", "messages": question, "response": response, "category": "math", "model_name": teacher}


@pytest.fixture
def settings(tmp_path) -> PackSettings:
    tokenizer = str(write_byte_tokenizer(tmp_path / "tokenizer"))
    return PackSettings(tokenizer=tokenizer, max_length=128, window_documents=8)


def test_every_dataset_row_is_packed_or_removed_with_a_reason(tmp_path, settings):
    rows = [shard_row(number) for number in range(150)]
    rows += [
        shard_row(150, response="y" * 200),
        {"messages": [*rows[0]["messages"], {"role": "assistant", "content": "4"}]},
    ]
    rows += [{"id": "x", "messages": rows[0]["messages"]}]
    counts = pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "packed"), settings)
    reader = PackedReader(tmp_path / "packed")
    names = [name for row in range(reader.num_rows) for name in reader.names_of(row)]
    assert sorted(names) == sorted([*(f"q{number}/a" for number in range(150)), f"{tmp_path}/d.jsonl:152"])
    assert (counts["samples"], counts["too_long"], counts["unreadable"]) == (151, 1, 1)
    removed = [orjson.loads(line) for line in (tmp_path / "packed" / "removed.jsonl").read_bytes().splitlines()]
    assert [(record["id"], record["reason"]) for record in removed] == [
        ("153", "unreadable_line"),
        ("q150/a", "too_long"),
    ]


def test_only_chosen_teachers_and_categories_are_packed(tmp_path, settings):
    rows = [shard_row(number, teacher) for number in range(4) for teacher in ("a", "b")]
    rows.append({**shard_row(9, "b"), "category": "code"})
    chosen = PackSettings(tokenizer=settings.tokenizer, max_length=128, teachers=("b",), categories=("math",))
    counts = pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "packed"), chosen)
    assert (counts["samples"], counts["not_chosen"]) == (4, 5)
    removed = [orjson.loads(line) for line in (tmp_path / "packed" / "removed.jsonl").read_bytes().splitlines()]
    assert {record["reason"] for record in removed} == {"not_chosen"}
    assert [record["id"] for record in removed] == ["q0/a", "q1/a", "q2/a", "q3/a", "q9/b"]


@pytest.mark.parametrize("form", [to_released, to_sharegpt, to_messages])
def test_what_export_writes_is_packed_as_the_shards_themselves_are(tmp_path, settings, form):
    known = {"source": "s", "ground_truth": "4", "test_case": None, "instruction_constrain": None, "quality": "{}"}
    known |= {"think_content": "t", "answer_content": "4", "verify_score": 1.0, "completion_tokens": 1}
    rows = [shard_row(number, teacher) | known for number in range(30) for teacher in ("a", "b")]
    exported = b"".join(orjson.dumps(form(row)) + b"\n" for row in rows)
    (tmp_path / "e.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(exported))
    pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "shards"), settings)
    counts = pack_files([str(tmp_path / "e.jsonl.zst")], str(tmp_path / "exported"), settings)
    assert (counts["samples"], counts["unreadable"]) == (60, 0)
    for name in ("tokens.u32", "targets.bits", "rows.bin"):
        assert (tmp_path / "exported" / name).read_bytes() == (tmp_path / "shards" / name).read_bytes(), name
    if form is not to_sharegpt:  # it names no teacher but in its ids
        chosen = PackSettings(tokenizer=settings.tokenizer, max_length=128, teachers=("b",), categories=("math",))
        assert pack_files([str(tmp_path / "e.jsonl.zst")], str(tmp_path / "b"), chosen)["samples"] == 30


def test_a_folder_that_holds_a_packed_set_is_said_to(tmp_path, settings):
    path = write(tmp_path / "d.jsonl", [shard_row(1)])
    pack_files([path], str(tmp_path / "packed"), settings)
    with pytest.raises(ValueError, match=r"--output-dir '.*packed' holds a packed set already"):
        pack_files([path], str(tmp_path / "packed"), settings)


def test_many_unreadable_rows_are_an_error_that_says_where_to_look(tmp_path, settings):
    path = write(tmp_path / "d.jsonl", [shard_row(1), b"{\n", {"messages": [{"role": "user"}], "response": "x"}, {}])
    with pytest.raises(ValueError, match=r"3 of 4 dataset rows cannot be read: see .*removed\.jsonl"):
        pack_files([path], str(tmp_path / "packed"), settings)
    assert len((tmp_path / "packed" / "removed.jsonl").read_bytes().splitlines()) == 3
    assert PackedReader(tmp_path / "packed").num_rows == 0
    mended = write(tmp_path / "mended.jsonl", [shard_row(1), shard_row(2)])
    assert pack_files([mended], str(tmp_path / "packed"), settings)["samples"] == 2
    assert PackedReader(tmp_path / "packed").num_documents == 2


def test_an_input_that_is_not_there_is_named_and_nothing_else(tmp_path, settings, capsys):
    command = ["pack", recipe(tmp_path, settings), "--input", str(tmp_path / "no.jsonl")]
    for where in (["--dry-run"], ["--output-dir", str(tmp_path / "o")]):
        assert run_command([*command, *where]) != 0
        assert capsys.readouterr().err == f"error: input file '{tmp_path}/no.jsonl' does not exist or is not a file\n"


_FULL_DISK = """
import resource, signal, sys
from reasonmill.engine.cli import run_command
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(run_command(sys.argv[2:]))
"""


@pytest.mark.parametrize("limit", [0, 30000])
def test_a_full_disk_is_told_with_the_folder_and_leaves_no_set(tmp_path, settings, limit):
    data = write(tmp_path / "d.jsonl", [shard_row(number) for number in range(2000)])
    arguments = ["pack", recipe(tmp_path, settings), "--input", data, "--output-dir", str(tmp_path / "o")]
    command = [sys.executable, "-P", "-c", _FULL_DISK, str(limit), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert str(tmp_path / "o") in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o" / "published.json").exists()
    assert run_command(arguments) == 0
    assert PackedReader(tmp_path / "o").num_documents == 2000


def test_packing_needs_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match=r"pack\.tokenizer is missing"):
        pack_files([], str(tmp_path), PackSettings())


def recipe(tmp_path, settings) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "queries: {paths: [q.jsonl]}\nteachers: [{name: a, kind: scripted, script: 'arithmetic:0.9'}]\n"
        f"pack: {{tokenizer: {settings.tokenizer}, max_length: 128, window_documents: 8}}\n"
    )
    return str(path)


def test_a_dry_run_foretells_what_packing_then_does_and_writes_nothing(tmp_path, settings):
    rows = [shard_row(number, response="x" * (number % 70 + 1)) for number in range(300)]
    rows += [shard_row(300, response="y" * 200), {"messages": []}]
    inputs = [write(tmp_path / "d.jsonl", rows)]
    before = sorted(tmp_path.rglob("*"))
    foretold = survey_files(inputs, settings)
    assert sorted(tmp_path.rglob("*")) == before
    assert foretold == pack_files(inputs, str(tmp_path / "packed"), settings)
    assert (foretold["samples"], foretold["too_long"], foretold["unreadable"]) == (300, 1, 1)
    assert foretold["waste"] == foretold["rows"] * 128 - foretold["tokens"]
    assert foretold["longest"] > 200
    assert foretold["tokenised otherwise"] == "0 of 4 checked"
    assert set(foretold) >= {"8 ranks wait", "64 ranks wait"}


def test_lengths_alone_need_no_tokenizer(tmp_path):
    inputs = [write(tmp_path / "d.jsonl", [{"num_tokens": 3 + number % 90} for number in range(400)])]
    figures = survey_files(inputs, PackSettings(max_length=80, window_documents=64))
    assert figures["too_long"] == sum(3 + number % 90 > 80 for number in range(400))
    assert figures["longest"] == 92
    assert figures["fill"] > 0.97


@pytest.mark.parametrize("length", [0, -3, "7", None, 2.5, True])
def test_a_length_that_is_none_is_named_with_its_place(tmp_path, length):
    path = write(tmp_path / "d.jsonl", [{"num_tokens": 3}, {"num_tokens": length}])
    with pytest.raises(ValueError, match=r"d\.jsonl:2: num_tokens is .* expected a positive integer"):
        survey_files([path], PackSettings())


def test_a_conversation_that_the_template_refuses_is_removed_with_its_complaint(tmp_path):
    refusing = CHATML + "{% if messages[0].role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
    settings = PackSettings(tokenizer=str(write_byte_tokenizer(tmp_path / "t", chat_template=refusing)), max_length=128)
    rows = [shard_row(number) for number in range(150)]
    rows[7]["messages"][0]["role"] = "tool"
    counts = pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "packed"), settings)
    assert (counts["samples"], counts["not encodable"]) == (149, 1)
    (removed,) = [orjson.loads(line) for line in (tmp_path / "packed" / "removed.jsonl").read_bytes().splitlines()]
    assert (removed["id"], removed["reason"]) == ("q7/a", "not_encodable")
    assert "no tools here" in removed["evidence"]["error"]


def test_the_command_shows_samples_with_their_mask_and_the_figures(tmp_path, settings, capsys):
    data = write(tmp_path / "d.jsonl", [shard_row(number) for number in range(20)])
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data, "--dry-run", "--show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "── q0/a: " in shown
    assert "⟦<think>t</think>4<|im_end|>⟧" in shown
    assert "── q1/a" not in shown
    assert "fill  0." in shown


def test_the_command_packs_only_where_it_is_told_to(tmp_path, settings, capsys):
    data = write(tmp_path / "d.jsonl", [shard_row(number) for number in range(20)])
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data]) == 2
    assert "--output-dir is missing" in capsys.readouterr().err
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data, "--output-dir", ""]) == 2
    assert "--output-dir is empty" in capsys.readouterr().err
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data, "--output-dir", str(tmp_path / "o")]) == 0
    assert PackedReader(tmp_path / "o").num_documents == 20
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data, "--output-dir", str(tmp_path / "o")]) == 2
    assert "holds a packed set already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["names.jsonl", "chunks.jsonl", "removed.jsonl"])
def test_an_input_is_not_overwritten(tmp_path, settings, capsys, name):
    folder = tmp_path / "o"
    folder.mkdir()
    data = write(folder / name, [shard_row(number) for number in range(20)])
    before = (folder / name).read_bytes()
    assert run_command(["pack", recipe(tmp_path, settings), "--input", data, "--output-dir", str(folder)]) == 2
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert (folder / name).read_bytes() == before


def test_a_day_in_a_recipe_or_override_is_text(tmp_path, settings, capsys):
    path = recipe(tmp_path, settings)
    data = write(tmp_path / "d.jsonl", [shard_row(number) for number in range(20)])
    assert run_command(["pack", path, "--input", data, "--dry-run", "pack.date=2025-05-31"]) == 0
    assert run_command(["pack", path, "--input", data, "--dry-run", "pack.date=2025-05-32"]) == 2
    assert "date: '2025-05-32' is no day as 2025-05-31 is" in capsys.readouterr().err


def test_progress_is_told_on_standard_error(tmp_path, settings, capsys, monkeypatch):
    monkeypatch.setattr("reasonmill.engine.pack_files._PROGRESS_S", 0.0)
    survey_files([write(tmp_path / "d.jsonl", [shard_row(number) for number in range(3)])], settings)
    assert capsys.readouterr().err.splitlines()[2].startswith("3 samples  ")
