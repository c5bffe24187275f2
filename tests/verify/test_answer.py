import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.answer import last_program, split_response
from reasonmill.verify.boxes import boxed_list, last_boxed
from reasonmill.verify.choices import choice_letter
from reasonmill.verify.stated import short_answer


@pytest.mark.parametrize(
    ("text", "think", "answer", "finished"),
    [
        ("<think>a</think><answer>b</answer>", "a", "b", True),
        ("a</think><answer>b</answer>", "a", "b", True),
        ("<think>a</think>b", "a", "b", True),
        ("plain", None, "plain", True),
        ("<think>a \\boxed{1}", "a \\boxed{1}", None, False),
        ("<think>a</think><answer>b", "a", "b", False),
        ("<answer>b</answer>", None, "b", True),
        ("<think>a</think>b<think>c", "a</think>b<think>c", None, False),
        ("<think>a</think><answer>1</answer><think>b</think><answer>2</answer>", None, "2", True),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b<|end_of_solution|>", "a", "b", True),
        ("", None, "", True),
        ("<thinking>a</thinking>b", "a", "b", True),
        ("<reasoning>a</reasoning>b", "a", "b", True),
        ("[THINK]a[/THINK]b", "a", "b", True),
        ("<thinking>a", "a", None, False),
        (
            "<think>a</think>print('</think>', '<think>', '<answer>')",
            "a",
            "print('</think>', '<think>', '<answer>')",
            True,
        ),
    ],
)
def test_a_response_is_split_at_the_end_of_its_reasoning(text, think, answer, finished):
    parts = split_response(text)
    assert (parts.answer, parts.finished) == (answer, finished)
    if think is not None:
        assert parts.think == think


_plain = st.text(alphabet=st.characters(exclude_characters="<>", codec="utf-8"))


@given(think=_plain, answer=_plain)
def test_what_was_put_together_comes_apart_again(think, answer):
    parts = split_response(f"<think>{think}</think><answer>{answer}</answer>")
    assert (parts.think, parts.answer, parts.finished) == (think.strip(), answer.strip(), True)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{1}", "1"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\fbox{x}", "x"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {7}", "7"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{a \boxed{b} c}", r"a \boxed{b} c"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\boxed{\boxed{\boxed{3}", "3"),
        (r"\boxed 5.", "5"),
        ("none", None),
        (r"\boxed{}", ""),
    ],
)
def test_the_last_complete_box_counts(text, box):
    assert last_boxed(text) == box


@given(st.lists(st.sampled_from(["\\boxed{", "{", "}", "\\{", "1", " "]), max_size=40))
def test_a_box_holds_balanced_braces_whatever_surrounds_it(pieces):
    box = last_boxed("".join(pieces))
    if box is not None:
        assert box.replace("\\{", "").count("{") == box.replace("\\{", "").count("}")


def test_many_open_boxes_take_no_more_than_one_look():
    assert last_boxed("\\boxed{" * 200_000 + "1") is None


@pytest.mark.parametrize("piece", ["```python\n", "~~~~\n```\n", "\n", "a\n ", "<think>", "\\boxed{} and ", "$", "**"])
def test_an_answer_that_repeats_itself_is_read_in_one_go(piece):
    text = piece * 50_000
    last_program(text, defines="f")
    last_boxed(text)
    boxed_list(text)
    short_answer(text)
    choice_letter(text)
    split_response(text)


def test_boxes_joined_by_and_are_one_list():
    assert boxed_list(r"\boxed{1} and \boxed{2}, \boxed{3}.") == ("1, 2, 3", True)
    assert boxed_list(r"$\boxed{(1, 2)} \quad \text{and} \quad \boxed{(3, 4)}$") == ("(1, 2), (3, 4)", True)
    assert boxed_list(r"\boxed{1} papers and \boxed{2} bins") == ("1, 2", False)
    assert boxed_list(r"\boxed{1}, no: \boxed{2}") == (None, False)
    assert boxed_list(r"\boxed{4} or rather \boxed{5}") == (None, False)
    assert boxed_list("\\boxed{1}\n\n\\boxed{2}") == (None, False)
    assert boxed_list(r"\boxed{1}") == (None, False)


def test_the_last_closed_block_that_is_a_program_counts():
    text = "```python\nx = 1\n```\nthen\n```python\nx = 2\n```\nwhich prints\n```\n2\n```\n```text\nimport no\n```"
    assert last_program(text).source == "x = 2\n"
    assert last_program("```python\nx = 1") is None
    assert last_program("no fence: x = 1") is None


def test_a_block_without_a_tag_is_recognised_by_its_content():
    assert last_program("```\nimport sys\n```").language == "python"
    assert last_program("```\n#include <cstdio>\nint main() {}\n```").language == "cpp"
    assert last_program("```c++\nint main() {}\n```").language == "cpp"


def test_a_block_that_defines_the_function_wins_over_an_example_of_its_use():
    text = "```python\ndef f(x):\n    return x\n```\nUse:\n```python\nprint(f(1))\n```"
    assert "def f" in last_program(text, defines="f").source
    assert "print" in last_program(text).source


def test_a_shorter_or_tagged_fence_does_not_close_a_block():
    text = '````python\nx = """\n```\n"""\n````\n'
    assert last_program(text).source == 'x = """\n```\n"""\n'


def test_an_indented_block_loses_its_indentation():
    assert (
        last_program("1. so\n   ```python\n   def f():\n       return 1\n   ```").source == "def f():\n    return 1\n"
    )


@pytest.mark.parametrize(
    ("text", "language", "source"),
    [
        ("Here it is: ```python\nx = 1\n```", "python", "x = 1\n"),
        ("- ```py\n  x = 1\n  ```", "python", "x = 1\n"),
        ("```C++17\nint main() {}\n```", "cpp", "int main() {}\n"),
        ("```python3.11\nx = 1\n```", "python", "x = 1\n"),
        ("~~~pypy3\nx = 1\n~~~", "python", "x = 1\n"),
        ("```python\nx = 1\n```\nExample:\n```\ny = 2\n```", "python", "x = 1\n"),
        ("```python\nx = 1\n```\n```python\n# nothing\n```", "python", "x = 1\n"),
        ("```cpp\n#define X\n```", "cpp", "#define X\n"),
        ("def f():\n    return 1", "python", "def f():\n    return 1"),
        ("#include <cstdio>\nint main() {}", "cpp", "#include <cstdio>\nint main() {}"),
        ("n = int(input())\nprint(n)", "python", "n = int(input())\nprint(n)"),
    ],
)
def test_a_program_is_found_in_the_shapes_that_models_write(text, language, source):
    program = last_program(text)
    assert (program.language, program.source) == (language, source)


@pytest.mark.parametrize(
    "text",
    ["I would do:\n\ndef f():\n    return 1", "from here on x = 1", "", "```java\nclass A {}\n```", "The answer is 4"],
)
def test_prose_and_other_languages_are_no_program(text):
    assert last_program(text) is None


def test_a_long_line_with_fences_is_read_in_one_go():
    assert last_program("a" * 200_000 + "```" + "`~" * 50_000) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        (r"\text{(B)}", "B"),
        ("B. Paris", "B"),
        ("B) 42", "B"),
        ("Option C", "C"),
        ("**D**", "D"),
        ("(b)", "B"),
        ("a cat", None),
        ("A cat", None),
        ("A, B", None),
        ("A) one and B) two", None),
        ("42", None),
        ("K", None),
        ("", None),
    ],
)
def test_a_choice_is_one_letter(text, letter):
    assert choice_letter(text) == letter


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        ("The answer is 42.", "42"),
        ("Some words.\nMore.\n**Answer:** 7", "7"),
        ("steps\n#### 18", "18"),
        ("The final answer is $x=3$. I hope it is correct.", "$x=3$"),
        ("The volume is 120", "120"),
        (r"Therefore $x \geq 5$ is the solution", r"x \geq 5"),
        ("First this.\nThen that.", None),
        ("First this.\nAnswer:\n\n4", "4"),
        ("First this.\n# Answer\n$$\n4\n$$", "4"),
        ("The correct answer is:\n\nB", "B"),
        ("The answer is $4$.\n\nHope this helps!", "$4$"),
        ("The solutions are 2 and 3.", "2 and 3"),
        ("", None),
        ("x" * 200, None),
    ],
)
def test_an_answer_without_a_box_is_a_short_part_or_a_statement(text, answer):
    assert short_answer(text) == answer
