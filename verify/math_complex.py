"""Exact complex numbers with rational parts: what expressions with the imaginary unit are evaluated in."""

from dataclasses import dataclass
from fractions import Fraction

_MAX_BITS = 4096
_MAX_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class Gaussian:
    """real + imaginary·i. Operations raise OverflowError where a part gets too long, ZeroDivisionError at zero."""

    real: Fraction
    imaginary: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        for part in (self.real, self.imaginary):
            if part.numerator.bit_length() > _MAX_BITS or part.denominator.bit_length() > _MAX_BITS:
                raise OverflowError("a part is too long")

    def __neg__(self) -> "Gaussian":
        return Gaussian(-self.real, -self.imaginary)

    def __add__(self, other: "Gaussian") -> "Gaussian":
        return Gaussian(self.real + other.real, self.imaginary + other.imaginary)

    def __sub__(self, other: "Gaussian") -> "Gaussian":
        return self + -other

    def __mul__(self, other: "Gaussian") -> "Gaussian":
        return Gaussian(
            self.real * other.real - self.imaginary * other.imaginary,
            self.real * other.imaginary + self.imaginary * other.real,
        )

    def __truediv__(self, other: "Gaussian") -> "Gaussian":
        size = other.real**2 + other.imaginary**2
        return self * Gaussian(other.real / size, -other.imaginary / size)

    def __pow__(self, exponent: int) -> "Gaussian":
        if abs(exponent) > _MAX_EXPONENT:
            raise OverflowError("the exponent is too large")
        power = Gaussian(Fraction(1))
        for _ in range(abs(exponent)):
            power = power * self
        return power if exponent >= 0 else Gaussian(Fraction(1)) / power
