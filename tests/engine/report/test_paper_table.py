from reasonmill.engine.report.paper_table import as_json, is_parallel, paper_table
from reasonmill.engine.store.dataset_figures import DatasetFigures
from reasonmill.engine.store.lengths import LengthCounts


def figures(**lengths_of_teachers: dict[str, list[int]]) -> DatasetFigures:
    found = DatasetFigures()
    for teacher, categories in lengths_of_teachers.items():
        for category, lengths in categories.items():
            found.tokens[teacher, category] = LengthCounts()
            found.tokens[teacher, category].add(lengths)
    return found


A = {"multiturn": [100, 300], "other": [200], "math": [1000, 3000], "if": [400]}
B = {"multiturn": [50, 50], "other": [50], "math": [2000, 2000], "if": [850]}


def test_multi_turn_and_other_are_general_chat_and_come_first() -> None:
    table = paper_table(figures(a=A, b=B))
    assert list(table) == ["general chat", "math", "if", "total"]
    chat = table["general chat"]["a"]
    assert (chat.instances, chat.tokens, chat.mean_tokens) == (3, 600, 200.0)
    assert (chat.instance_share, chat.token_share) == (0.5, 0.12)
    assert table["total"]["b"].tokens == 5000


def test_rows_add_up_to_the_total() -> None:
    table = paper_table(figures(a=A, b=B))
    for teacher in ("a", "b"):
        rows = [cells[teacher] for name, cells in table.items() if name != "total"]
        total = table["total"][teacher]
        assert sum(cell.instances for cell in rows) == total.instances
        assert sum(cell.tokens for cell in rows) == total.tokens
        assert abs(sum(cell.token_share for cell in rows) - 1.0) < 1e-12


def test_sets_are_parallel_where_every_category_holds_as_many_of_each_teacher() -> None:
    assert is_parallel(paper_table(figures(a=A, b=B)))
    assert as_json(figures(a=A, b=B))["parallel"] is True
    assert not is_parallel(paper_table(figures(a=A, b={**B, "math": [1]})))


def test_nothing_makes_an_empty_table() -> None:
    assert paper_table(figures()) == {}
