"""Small programming problems of our own, each with a right and a plausible wrong function and literal test cases."""

from dataclasses import dataclass

Value = int | str | bool | list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`returns` completes "a function that returns …"; both sources define the function `name`.

    A case is the arguments and the expected result; the first case's arguments show the types.
    """

    name: str
    parameters: tuple[str, ...]
    returns: str
    right: str
    wrong: str
    cases: tuple[tuple[tuple[Value, ...], Value], ...]


PROBLEMS: tuple[Problem, ...] = (
    Problem(
        name="count_vowels",
        parameters=("text",),
        returns="how many vowels (a, e, i, o, u, small or capital) the text contains",
        right="def count_vowels(text):\n    return sum(letter in 'aeiou' for letter in text.lower())\n",
        wrong="def count_vowels(text):\n    return sum(letter in 'aeiou' for letter in text)\n",
        cases=((("Orange juice",), 6), (("rhythm",), 0), (("AEIOU and y",), 6), (("One tree",), 4)),
    ),
    Problem(
        name="second_largest",
        parameters=("numbers",),
        returns="the second largest of the different values in the list, which has at least two of them",
        right="def second_largest(numbers):\n    return sorted(set(numbers))[-2]\n",
        wrong="def second_largest(numbers):\n    return sorted(numbers)[-2]\n",
        cases=((([4, 9, 9, 1],), 4), (([1, 2],), 1), (([-5, -5, -7],), -7), (([10, 30, 20, 30],), 20)),
    ),
    Problem(
        name="digit_sum",
        parameters=("number",),
        returns="the sum of the decimal digits of the whole number, whose sign does not matter",
        right="def digit_sum(number):\n    return sum(int(digit) for digit in str(abs(number)))\n",
        wrong="def digit_sum(number):\n    return number % 10 + number // 10 % 10\n",
        cases=(((1234,), 10), ((0,), 0), ((-507,), 12), ((99999,), 45)),
    ),
    Problem(
        name="is_mirror_text",
        parameters=("text",),
        returns="True if the text reads the same backwards, capital letters and blanks ignored, and False if not",
        right=(
            "def is_mirror_text(text):\n    letters = text.lower().replace(' ', '')\n    return letters == "
            "letters[::-1]\n"
        ),
        wrong="def is_mirror_text(text):\n    return text.lower() == text.lower()[::-1]\n",
        cases=(
            (("Never odd or even",), True),
            (("level",), True),
            (("mirror",), False),
            (("Was it a car or a cat I saw",), True),
        ),
    ),
    Problem(
        name="rotate_right",
        parameters=("numbers", "steps"),
        returns=(
            "the list after moving every value `steps` places to the right, where what leaves at the end comes back in "
            "front"
        ),
        right=(
            "def rotate_right(numbers, steps):\n    steps %= len(numbers)\n"
            "    return numbers[len(numbers) - steps:] + numbers[:len(numbers) - steps]\n"
        ),
        wrong=(
            "def rotate_right(numbers, steps):\n    steps %= len(numbers)\n"
            "    return numbers[steps:] + numbers[:steps]\n"
        ),
        cases=(
            (([1, 2, 3, 4, 5], 2), [4, 5, 1, 2, 3]),
            (([7, 8, 9], 0), [7, 8, 9]),
            (([7, 8, 9], 4), [9, 7, 8]),
            (([6], 3), [6]),
        ),
    ),
    Problem(
        name="common_divisor",
        parameters=("numbers",),
        returns="the largest whole number that divides every number of the list of positive numbers",
        right=(
            "from math import gcd\n\n\ndef common_divisor(numbers):\n    result = 0\n    for number in numbers:\n"
            "        result = gcd(result, number)\n    return result\n"
        ),
        wrong="def common_divisor(numbers):\n    return min(numbers)\n",
        cases=((([12, 18, 30],), 6), (([7, 13],), 1), (([40],), 40), (([8, 20, 36],), 4)),
    ),
    Problem(
        name="longest_word",
        parameters=("text",),
        returns="the longest of the words separated by blanks; of several equally long ones the first",
        right="def longest_word(text):\n    return max(text.split(), key=len)\n",
        wrong="def longest_word(text):\n    return sorted(text.split(), key=len)[-1]\n",
        cases=(
            (("the quick brown fox",), "quick"),
            (("a bb cc",), "bb"),
            (("alone",), "alone"),
            (("one three seven four",), "three"),
        ),
    ),
    Problem(
        name="running_totals",
        parameters=("numbers",),
        returns="the list whose value at each place is the sum of all numbers up to and including that place",
        right=(
            "def running_totals(numbers):\n    total, result = 0, []\n    for number in numbers:\n"
            "        total += number\n        result.append(total)\n    return result\n"
        ),
        wrong=(
            "def running_totals(numbers):\n    total, result = 0, []\n    for number in numbers:\n"
            "        result.append(total)\n        total += number\n    return result\n"
        ),
        cases=((([1, 2, 3, 4],), [1, 3, 6, 10]), (([5],), [5]), (([3, -3, 2],), [3, 0, 2]), (([0, 0, 9],), [0, 0, 9])),
    ),
    Problem(
        name="count_primes",
        parameters=("limit",),
        returns="how many prime numbers are smaller than the limit",
        right=(
            "def count_primes(limit):\n"
            "    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))\n"
        ),
        wrong="def count_primes(limit):\n    return sum(all(n % d for d in (2, 3, 5)) for n in range(2, limit))\n",
        cases=(((10,), 4), ((2,), 0), ((30,), 10), ((100,), 25)),
    ),
    Problem(
        name="shift_letters",
        parameters=("text", "shift"),
        returns=(
            "the text in which every small letter is replaced by the one `shift` places later in the alphabet, with a "
            "after z, and everything else is kept"
        ),
        right=(
            "def shift_letters(text, shift):\n    result = ''\n    for letter in text:\n"
            "        if 'a' <= letter <= 'z':\n            letter = chr((ord(letter) - 97 + shift) % 26 + 97)\n"
            "        result += letter\n    return result\n"
        ),
        wrong=(
            "def shift_letters(text, shift):\n"
            "    return ''.join(chr(ord(c) + shift) if 'a' <= c <= 'z' else c for c in text)\n"
        ),
        cases=(
            (("xyz", 3), "abc"),
            (("hello world", 1), "ifmmp xpsme"),
            (("Zebra", 26), "Zebra"),
            (("to be", 13), "gb or"),
        ),
    ),
    Problem(
        name="halving_steps",
        parameters=("number",),
        returns=(
            "after how many steps the positive number becomes 1, when a step halves an even number and turns an odd "
            "number n into 3n + 1"
        ),
        right=(
            "def halving_steps(number):\n    steps = 0\n    while number != 1:\n        number = number // 2 if "
            "number % 2 == 0 else 3 * number + 1\n        steps += 1\n    return steps\n"
        ),
        wrong=(
            "def halving_steps(number):\n    steps = 1\n    while number != 1:\n        number = number // 2 if "
            "number % 2 == 0 else 3 * number + 1\n        steps += 1\n    return steps\n"
        ),
        cases=(((6,), 8), ((1,), 0), ((16,), 4), ((27,), 111)),
    ),
    Problem(
        name="brackets_match",
        parameters=("text",),
        returns="True if every round and square bracket of the text is closed in the right order, and False if not",
        right=(
            "def brackets_match(text):\n    open_ones = []\n    for sign in text:\n        if sign in '([':\n       "
            "     open_ones.append(sign)\n        elif sign in ')]':\n            if not open_ones or "
            "open_ones.pop() + sign not in ('()', '[]'):\n                return False\n    return not open_ones\n"
        ),
        wrong=(
            "def brackets_match(text):\n    return text.count('(') == text.count(')') and text.count('[') == "
            "text.count(']')\n"
        ),
        cases=((("(a[b]c)",), True), (("([)]",), False), (("no brackets",), True), ((")(",), False)),
    ),
    Problem(
        name="widest_gap",
        parameters=("numbers",),
        returns="the largest difference between two neighbours once the list of at least two numbers is sorted",
        right=(
            "def widest_gap(numbers):\n    ordered = sorted(numbers)\n"
            "    return max(b - a for a, b in zip(ordered, ordered[1:]))\n"
        ),
        wrong="def widest_gap(numbers):\n    return max(abs(b - a) for a, b in zip(numbers, numbers[1:]))\n",
        cases=((([3, 10, 4],), 6), (([5, 5],), 0), (([1, 9, 2, 20],), 11), (([-4, 4, 0],), 4)),
    ),
    Problem(
        name="count_set_bits",
        parameters=("number",),
        returns="how many ones the binary notation of the number, which is not negative, contains",
        right="def count_set_bits(number):\n    return bin(number).count('1')\n",
        wrong="def count_set_bits(number):\n    return len(bin(number)) - 2\n",
        cases=(((13,), 3), ((0,), 0), ((255,), 8), ((1024,), 1)),
    ),
    Problem(
        name="merge_ordered",
        parameters=("first", "second"),
        returns="one ascending list with all values of the two ascending lists, in which equal values are kept",
        right="def merge_ordered(first, second):\n    return sorted(first + second)\n",
        wrong="def merge_ordered(first, second):\n    return sorted(set(first) | set(second))\n",
        cases=(
            (([1, 4, 6], [2, 4]), [1, 2, 4, 4, 6]),
            (([5], [3]), [3, 5]),
            (([1, 1], [1]), [1, 1, 1]),
            (([-2, 8], [0, 9]), [-2, 0, 8, 9]),
        ),
    ),
    Problem(
        name="count_pairs",
        parameters=("numbers", "total"),
        returns="how many pairs of two different places in the list hold numbers that add up to `total`",
        right=(
            "def count_pairs(numbers, total):\n    return sum(numbers[i] + numbers[j] == total\n"
            "               for i in range(len(numbers)) for j in range(i))\n"
        ),
        wrong=(
            "def count_pairs(numbers, total):\n    return sum(total - number in numbers for number in numbers) // 2\n"
        ),
        cases=((([2, 2, 2], 4), 3), (([1, 5, 3], 6), 1), (([4], 8), 0), (([0, 7, 7, 0], 7), 4)),
    ),
    Problem(
        name="commonest_letter",
        parameters=("text",),
        returns="the commonest letter of the text of small letters and blanks; of several the first in the alphabet",
        right=(
            "def commonest_letter(text):\n    letters = sorted(set(text) - {' '})\n    return max(letters, "
            "key=text.count)\n"
        ),
        wrong="def commonest_letter(text):\n    return max(text.replace(' ', ''), key=text.count)\n",
        cases=((("banana",), "a"), (("zz aa b",), "a"), (("x",), "x"), (("to tell a tale",), "l")),
    ),
    Problem(
        name="count_multiples",
        parameters=("limit",),
        returns="how many of the numbers from 1 to the limit, both included, are divisible by 3 or 5 but not by both",
        right=(
            "def count_multiples(limit):\n    return sum((n % 3 == 0) != (n % 5 == 0) for n in range(1, limit + 1))\n"
        ),
        wrong="def count_multiples(limit):\n    return sum(n % 3 == 0 or n % 5 == 0 for n in range(1, limit + 1))\n",
        cases=(((15,), 6), ((2,), 0), ((30,), 12), ((100,), 41)),
    ),
)
