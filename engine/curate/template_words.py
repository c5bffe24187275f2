"""Words that most problem statements use. An n-gram of these alone is a template, not a sign of contamination."""

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
frac sqrt left right cdot text boxed begin end le ge leq geq neq pi theta ldots cdots dots mathbb in
"""
_WORDS = frozenset(_TEXT.split())


def is_common(token: Token) -> bool:
    """Whether a token says nothing about which problem it stands in: a sign, one character, or a usual word."""
    return not token.is_word or len(token.folded) == 1 or token.folded in _WORDS
