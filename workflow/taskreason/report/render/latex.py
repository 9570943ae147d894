"""Numbers and text as LaTeX: one format for rates, steps and intervals wherever they are printed, and macros' names."""

import re

MISSING = "--"
DIGITS = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
_ESCAPES = {character: rf"\{character}" for character in "&%$#_{}"}
_ESCAPES |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}


def name_macro(*parts: str) -> str:
    """('sr', 'sft_grpo', 'burger') -> 'SrSftGrpoBurger'; digits are spelt, as TeX demands."""
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(DIGITS[int(word)] if word.isdigit() else word.capitalize() for word in words)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return str(text).translate(str.maketrans(_ESCAPES))


def format_rate(rate: float | None) -> str:
    """A share with two decimals."""
    return MISSING if rate is None else f"{rate:.2f}"


def format_steps(steps: float | None) -> str:
    """An average number of steps with one decimal."""
    return MISSING if steps is None else f"{steps:.1f}"


def format_interval(low: float, high: float, decimals: int = 2) -> str:
    """'[0.21, 0.40]'."""
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def format_value(value) -> str:
    """A setting: integers with thousands set apart, small floats in scientific form."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", r"\,")
    if isinstance(value, float):
        if value and abs(value) < 1e-2:
            mantissa, exponent = f"{value:.2e}".split("e")
            mantissa = mantissa.rstrip("0").rstrip(".")
            factor = "" if mantissa == "1" else rf"{mantissa} \times "
            return rf"\ensuremath{{{factor}10^{{{int(exponent)}}}}}"
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value))
    return escape(value)


def format_signed(value: float, decimals: int = 2) -> str:
    """A difference with its sign, in math mode, which prints a minus sign rather than a hyphen."""
    return rf"\ensuremath{{{value:+.{decimals}f}}}"


def format_gain(gain: float, low: float, high: float, decimals: int = 2) -> str:
    """A difference in SR and, smaller, its interval, with signs."""
    shown, *ends = (format_signed(value, decimals) for value in (gain, low, high))
    return f"{shown} {shrink_interval(*ends)}"


def shrink_interval(low: str, high: str) -> str:
    """The interval of two finished numbers in small print."""
    return rf"{{\scriptsize [{low}, {high}]}}"


def make_row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"
