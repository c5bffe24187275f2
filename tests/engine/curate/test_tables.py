"""Tables are found; mathematics and programs are left alone."""

import pytest

from reasonmill.engine.curate.tables import find_table

TABLES = {
    "markdown": "Totals:\n| name | n |\n|------|---|\n| a | 1 |\n",
    "markdown without outer pipes": "x | y\n--|--\n1 | 2\n",
    "markdown aligned": "| x | y |\n|:-:|--:|\n",
    "markdown without a rule": "| a | b |\n| 1 | 2 |\n| 3 | 4 |\n",
    "html": "<table border=1>\n<tr><td>1</td></tr></table>",
    "html rows": "<tr class='x'>\n <td>1</td></tr>",
    "latex": "\\begin{tabular}{|c|c|}\n1 & 2 \\\\ \\hline\n\\end{tabular}",
    "latex x": "\\begin{tabularx}{\\textwidth}{ll} 1 & 2 \\end{tabularx}",
    "latex ruled array": "$\\begin{array}{|c|c|} \\hline 1 & 2 \\\\ \\hline \\end{array}$",
    "ascii": "+-----+----+\n| a   | b  |\n+-----+----+\n",
    "box": "┌───┬───┐\n│ a │ b │\n└───┴───┘",
    "tabs": "name\tage\tcity\nann\t3\tulm\nbob\t4\trom\n",
}

NO_TABLES = {
    "absolute values": "Solve |x| + |y| = 1 where |x - 1| < 2 and |y| > |x|.",
    "absolute values over lines": "|x + 1|\n|x + 2|\n|x + 3|\n",
    "conditional probability": "P(A|B) = P(B|A)P(A)/P(B)\n---\nFind P(A|B).",
    "divides": "Find all n such that 7 | n and n | 100.\n- one\n- two",
    "sets": "Let A = {x | x > 0} and B = {y | y < 1}.",
    "matrix": "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
    "array as matrix": "\\left[\\begin{array}{cc} 1 & 2 \\\\ 3 & 4 \\end{array}\\right]",
    "column addition": "\\begin{array}{cccc} & A & B \\\\ + & C & D \\\\ \\hline & 9 & 1 \\end{array}",
    "cases": "f(x) = \\begin{cases} x & x > 0 \\\\ -x & x \\le 0 \\end{cases}",
    "align": "\\begin{align*} x + y &= 3 \\\\ x - y &= 1 \\end{align*}",
    "shell": "cat log.txt | grep error | sort | uniq -c",
    "bits": "x = a | b | c\ny = (a | b) & ~c\nif x || y:\n    pass",
    "haskell": "f x\n  | x > 0 = 1\n  | x < 0 = -1\n  | otherwise = 0",
    "tree": "src\n├── main.py\n└── lib\n    ├── a.py\n    └── b.py",
    "indented code": "def f():\n\tx = 1\n\ty = 2\n\tif x:\n\t\treturn y\n",
    "c code": "int\tmain(void)\n{\n\treturn 0;\n}\n",
    "sample input": "Input:\n3 4\n1 2 3 4\n5 6 7 8\n9 10 11 12\n",
    "horizontal rule": "Part one\n---\nPart two\n***\n",
    "templates": "std::vector<table> t; if (a < tr && b > td) return;",
    "sum signs": "+1+2+--+ and C++ -- ++",
    "regex": "r'^(a|b|c)+$' or r'\\|'",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
def test_a_table_is_found(text: str) -> None:
    assert find_table("Look at this.\n" + text + "\nWhat is the sum?") is not None


@pytest.mark.parametrize("text", NO_TABLES.values(), ids=NO_TABLES.keys())
def test_mathematics_and_programs_are_no_tables(text: str) -> None:
    assert find_table("Look at this.\n" + text + "\nWhat is the sum?") is None


def test_the_evidence_names_the_kind_and_shows_the_first_line() -> None:
    assert find_table(TABLES["markdown"]) == ("markdown", "| name | n |")
