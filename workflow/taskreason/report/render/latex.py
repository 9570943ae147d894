"""Numbers and text as LaTeX: one format for a rate, for steps and for an interval wherever they are
printed, and one way to name a macro.
"""

import re

MISSING = "--"
DIGITS = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]
_ESCAPES = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}"}
_ESCAPES |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}


def name_macro(*parts: str) -> str:
    """('sr', 'sft_grpo', 'burger') -> 'SrSftGrpoBurger'; digits are spelt, as TeX demands."""
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(DIGITS[int(word)] if word.isdigit() else word.capitalize() for word in words)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_ESCAPES.get(character, character) for character in str(text))


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
        return ", ".join(format_value(entry) for entry in value)
    return escape(value)


def make_tabular(columns: str, rows: list[str]) -> str:
    r"""A booktabs tabular; `rows` are finished lines, rules included."""
    begin = rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}"
    return "\n".join([begin, r"\toprule", *rows, r"\bottomrule", r"\end{tabular}"]) + "\n"


def make_row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def stack_words(text: str) -> str:
    r"""Text as a \shortstack with one word a line, for column headings."""
    return r"\shortstack{" + text.replace(" ", r" \\ ") + "}"


def shrink(text: str) -> str:
    return rf"{{\scriptsize {text}}}"
