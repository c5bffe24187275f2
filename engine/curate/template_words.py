"""Words that most problem statements use, those of mathematics among them. An n-gram of these alone is a template or a
term ("the greatest common divisor of"), not a sign of contamination.
"""

from reasonmill.kernels.tokens import Token

_TEXT = """
a all also an and answer any are as assume at be been before by after can could do does each equal equals every
exactly express expressed find following for form from function given has have he her him his how if in integer
integers into is it its largest least less let line many maximum minimum more much must no not number numbers of
on one only or other per point points positive negative nonnegative possible prime probability problem product
real relatively set she show simplest smallest greatest so solution solutions solve some such sum suppose than that
the their then there these they this three to total two value values was we were what when where which who will
with would you your compute calculate define denote determine distinct divided equation evaluate ratio satisfies
satisfy satisfying
digit digits unit units common divisor divisors divisible multiple multiples factor factors remainder ordered pair
pairs triple triples set sets element elements subset subsets region area perimeter volume plane coordinate
coordinates graph graphs polynomial polynomials root roots zeros coefficient coefficients degree degrees equations
system sequence sequences term terms arithmetic geometric series first second third last triangle triangles square
squares circle circles rectangle side sides length width height angle angles radius diameter center midpoint segment
lines parallel perpendicular intersect intersects intersection right equilateral isosceles regular polygon cube sphere
half twice times difference average mean median range inverse matrix vector vectors complex imaginary rational odd even
consecutive way ways different choose chosen random randomly whole natural nonzero fraction fractions decimal percent
expression simplify lowest form inequality inequalities domain constant constants variable variables inclusive between
sin cos tan log ln gcd lcm max min mod
frac dfrac sqrt left right cdot times text boxed begin end le ge leq geq neq pi theta ldots cdots dots mathbb in circ
angle triangle overline mathrm operatorname pmatrix array align quad rm infty
"""
_WORDS = frozenset(_TEXT.split())


def is_common(token: Token) -> bool:
    """Whether a token says nothing about which problem it stands in: a sign, one character, or a usual word."""
    return not token.is_word or len(token.folded) == 1 or token.folded in _WORDS
