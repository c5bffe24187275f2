"""Column arithmetic, a running maximum and products as text, one step after the other. Each trace ends in `So RESULT.`

The steps are written so that a small model finds every digit at a fixed place: numbers are padded to one width, and
what is carried or borrowed is already in the column's terms.
"""

_PLACES = ("ones", "tens", "hundreds")
_LIMIT = 10 ** len(_PLACES)


def addition_steps(a: int, b: int) -> str:
    """Column addition of numbers below 1,000: `45+67. ones: 5+7=12 carry. tens: 4+7=11 carry.`"""
    assert 0 <= min(a, b) <= max(a, b) < _LIMIT, f"{a}+{b}: needs numbers of one to three digits"
    width = max(len(str(a)), len(str(b)))
    steps, carry = [f"{a:0{width}}+{b:0{width}}."], 0
    for place, x, y in zip(_PLACES, _digits(a, width), _digits(b, width), strict=False):
        total = x + y + carry
        steps.append(f"{place}: {x}+{y + carry}={total}" + (" carry." if total > 9 else "."))
        carry = total // 10
    return " ".join(steps)


def subtraction_steps(a: int, b: int) -> str:
    """Column subtraction, 1000 > a >= b: `404-287. ones: 14-7=7 borrow. tens: 10-9=1 borrow.`"""
    assert 0 <= b <= a < _LIMIT, f"{a}-{b}: needs 1000 > a >= b >= 0"
    width = len(str(a))
    steps, borrow = [f"{a}-{b:0{width}}."], 0
    for place, x, y in zip(_PLACES, _digits(a, width), _digits(b, width), strict=False):
        below = y + borrow
        borrow = int(x < below)
        above = x + 10 * borrow
        steps.append(f"{place}: {above}-{below}={above - below}" + (" borrow." if borrow else "."))
    return " ".join(steps)


def chain_trace(first: int, terms: tuple[tuple[str, int], ...]) -> str:
    """`first ± n ± n …` from left to right in columns; `terms` are pairs of `+` or `-` and a number.

    No result on the way may be negative or above 999, the last one may be up to 1,998.
    """
    total, steps = first, []
    for sign, number in terms:
        steps.append((addition_steps if sign == "+" else subtraction_steps)(total, number))
        total += number if sign == "+" else -number
        steps.append(f"So {total}.")
    return " ".join(steps)


def maximum_trace(numbers: tuple[int, ...]) -> str:
    """Running maximum over the numbers, at least one: `28 or 3? 28. 28 or 45? 45.`"""
    best, steps = numbers[0], []
    for number in numbers[1:]:
        steps.append(f"{best} or {number}? {max(best, number)}.")
        best = max(best, number)
    return " ".join([*steps, f"So {best}."])


def modular_product_trace(a: int, b: int, modulus: int) -> str:
    """`a * b mod modulus` by the product and the multiple of the modulus below it."""
    product = a * b
    quotient, rest = divmod(product, modulus)
    below = modulus * quotient
    return f"{a}*{b}={product}. {modulus}*{quotient}={below}. {product}-{below}={rest}. So {rest}."


def _digits(number: int, width: int) -> list[int]:
    """The last `width` digits, ones first."""
    return [number // 10**place % 10 for place in range(width)]
