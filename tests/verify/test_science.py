import pytest

from reasonmill.verify.science import decide_science, is_prose
from reasonmill.verify.units import conversion, known_unit, split_unit


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("B", "(B)", True),
        ("B", "(C)", False),
        ("True", "yes", True),
        ("True", "False", False),
        ("0.693", r"\ln 2 \approx 0.6931", None),
        ("0.693", "0.6931", True),
        ("9.8", r"9.81\ \mathrm{m/s^2}", True),
        ("9.8", "10.5", False),
        (r"5.0\ \text{km}", r"5000\ \text{m}", True),
        (r"5.0\ \text{km}", r"5000\ \text{kg}", False),
        (r"3.00\times10^{8}\ \mathrm{m/s}", r"2.998\times10^{8}\ \mathrm{m/s}", True),
        ("1e-19", r"1.6\times10^{-19}", False),
        ("25", "25.0", True),
        ("25", "25.1", False),
        ("11760", "11760", True),
        ("1.414", r"\sqrt{2}", True),
        (r"v = 3.2\,\text{m/s}", "3.2 m/s", True),
        ("[1, 2, 3]", "1, 2, 3", True),
        ("[1, 2, 3]", "(1, 2, 3)", True),
        ("[1, 2, 3]", "1, 3, 2", False),
        ("[0.5, 1.25]", r"\{0.5, 1.2501\}", True),
        ("0", "0.0", True),
        ("1.6e-19 C", "1.6e-19", True),
        ("1.6e-19 C", "1.6e-18 C", False),
        ("2.5 eV", "4.0e-19 J", True),
        ("5 N", "5 kg m/s^2", True),
        ("5 N", "5", True),
        ("5 N", "5 J", False),
        ("1 L", "1000 cm^3", True),
        ("0.5 mol/L", "0.5 M", True),
        ("5 Ω", r"5\ \Omega", True),
        ("50 Hz", "50 s^{-1}", True),
        ("8.31 J/mol/K", "8.31 J mol^{-1} K^{-1}", True),
        ("8.31 J/mol/K", r"8.31\,\text{J}\,\text{mol}^{-1}\,\text{K}^{-1}", True),
        ("8.31 J/mol/K", r"8.31\,\text{J}\,\text{mol}^{-1}", False),
        ("12 V", "12 mV", False),
        ("3.0 m^3", "3.0 m^2", False),
        ("K+1", "1+K", True),
        ("N-1", "N^{-1}", False),
        ("H_2O", "H2O", True),
        ("CO_2", r"\mathrm{CO}_{2}", True),
        ("H_2O", "H_2O_2", False),
        ("Fe^{2+}", r"\ce{Fe^2+}", True),
        ("Fe^{2+}", "Fe^{3+}", False),
    ],
)
def test_measured_values_are_compared_with_unit_and_tolerance(gold, answer, same):
    assert decide_science(gold, answer, tolerance=0.01) is same


@pytest.mark.parametrize(
    ("text", "prose"),
    [("The enzyme lowers the activation energy.", True), ("sodium chloride", False), (r"$\frac{1}{2} m v^2$", False)],
)
def test_a_sentence_is_prose(text, prose):
    assert is_prose(text) is prose


@pytest.mark.parametrize(
    ("text", "body", "unit"),
    [
        (r"5\text{ cm}", "5", "cm"),
        ("5 cm", "5", "cm"),
        ("12 km/h", "12", "km/h"),
        ("8 m/s^2", "8", "m/s^2"),
        (r"9.8~\mathrm{m}/\mathrm{s}^2", "9.8", "m/s^2"),
        (r"20^\circ\text{C}", "20", "degC"),
        ("3厘米", "3", "厘米"),
        ("3x", "3x", ""),
        ("5nm", "5nm", ""),
        ("2 sin", "2 sin", ""),
        ("6 or 8", "6 or 8", ""),
        (r"\text{Evelyn}", r"\text{Evelyn}", ""),
    ],
)
def test_a_unit_is_split_off_where_it_is_one(text, body, unit):
    assert split_unit(text) == (body, unit)


def test_units_convert_within_a_dimension_only():
    assert conversion("cm", "m") == 100
    assert conversion("m/s", "km/h") * 36 == 10
    assert conversion("m", "kg") is None
    assert conversion("apples", "m") == 1
    assert conversion("", "m") == 1
    assert known_unit("mol L^{-1}").factor == 1000
    assert known_unit("apples") is None
