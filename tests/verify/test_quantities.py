"""A number with a unit is read in every spelling, and only where all of the unit is known."""

import pytest

from reasonmill.verify.math_number import numbers_equal
from reasonmill.verify.quantities import compound, quantity


@pytest.mark.parametrize(
    ("texts", "other"),
    [
        (
            [
                r"9.8 \text{ m s}^{-2}", r"9.8\ \text{m}\cdot\text{s}^{-2}", r"9.8 \frac{\text{m}}{\text{s}^2}",
                r"9.8\frac{m}{s^2}", "9.8 m·s⁻²", "9.8 m/s²", r"980\,\mathrm{cm\,s^{-2}}", "a = 9.8 m/s^2", "9.8 m/s/s",
            ],
            "9.8 m/s",
        ),
        (["1.6e-19 C", "1.6 × 10⁻¹⁹ C", "1.6*10^-19 C", r"1.6\times 10^{-19}\,\mathrm{coulombs}"], "1.6e-19 J"),
        ([r"4.0 \mu F", r"4\,\mu\text{F}", "4 µF", "4 μF", r"4000\text{ nF}", r"4 \times 10^{-6} F"], "4 mF"),
        (["10 Ω", r"10\ \Omega", "10 ohms", r"0.01\text{ k}\Omega"], "10 V"),
        (["8.314 J/(mol K)", r"8.314\ \text{J mol}^{-1}\text{K}^{-1}", r"8.314 \frac{J}{mol \cdot K}"], "8.314 J/mol"),
        (["25 °C", "25℃", r"25^\circ\text{C}", r"25\,^{\circ}\mathrm{C}"], "25 K"),
        (["5000 Å", "500 nm", r"0.5\ \mu\text{m}"], "500 µm"),
        (["250 kJ", r"2.5\times10^5\text{ J}", "0.25 MJ", "250{,}000 J"], "250 J"),
        ([r"\frac{3}{4} \text{ m}", "75 cm"], r"\frac{3}{4} \text{ kg}"),
    ],
)  # fmt: skip
def test_one_quantity_has_many_spellings(texts, other):
    first, *rest = map(quantity, texts)
    assert first is not None
    assert [
        text for text, one in zip(texts[1:], rest, strict=True) if one is None or not numbers_equal(first, one)
    ] == []
    strange = quantity(other)
    assert strange is not None
    assert not numbers_equal(first, strange)


@pytest.mark.parametrize(
    "text", ["2 x", "3 apples", r"12\pi \text{ cm}", "5 m/4", r"\frac{3\text{ m}}{4}", "m", "5", ""]
)
def test_what_is_no_number_with_a_known_unit_is_none(text):
    assert quantity(text) is None


def test_several_units_make_one_number():
    assert numbers_equal(compound("2 hours 30 minutes"), compound(r"2\text{ hours and }30\text{ minutes}"))
    assert numbers_equal(compound("2 hours 30 minutes"), quantity("2.5 hours"))
    assert not numbers_equal(compound("2 hours 30 minutes"), compound("3 hours 20 minutes"))
    assert compound("5 feet 10 seconds") is None
    assert compound("2 hours") is None
