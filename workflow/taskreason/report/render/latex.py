r"""Tables as LaTeX, by pandas' Styler, and numbers and text: one format for a rate, for steps and for an interval
wherever they are printed, and one way to name a macro.

A table is a tabular only (booktabs): the paper puts it in a float with a caption.
"""

import re

import pandas as pd

from taskreason.report.render.layout import Form, lay_out, merge_names
from taskreason.report.tables.spec import Spec, Table

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


def format_signed(value: float, decimals: int = 2) -> str:
    """A difference with its sign, in math mode, which prints a minus sign rather than a hyphen."""
    return rf"\ensuremath{{{value:+.{decimals}f}}}"


def format_gain(gain: float, low: float, high: float, decimals: int = 2) -> str:
    """A difference in SR and, smaller, its interval, with signs."""
    shown, *ends = (format_signed(value, decimals) for value in (gain, low, high))
    return f"{shown} {FORM.interval(*ends)}"


def make_row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _stack_words(text: str) -> str:
    """A long title with one word a line."""
    shown = escape(text)
    stacked = shown.replace(" ", r" \\ ")
    return rf"\shortstack{{{stacked}}}" if len(text) > 12 and " " in text else shown


def _print_number(shown: str, value: str) -> str:
    if shown[0] in "+-":
        return rf"\ensuremath{{{shown}}}"
    return escape(shown).replace("<", r"\ensuremath{<}")


FORM = Form(
    words=escape,
    title=_stack_words,
    number=_print_number,
    interval=r"{{\scriptsize [{}, {}]}}".format,
    mark=r"\textsuperscript{{{}}}".format,
    missing=MISSING,
    screen=False,
)


def render_latex(table: Table) -> str:
    r"""All parts of a table, each a tabular."""
    rows = table.csv if table.pooled is None else table.pooled
    return "\\par\\medskip\n".join(_render(spec, rows) for spec in table.specs)


def _render(spec: Spec, table: pd.DataFrame) -> str:
    frame, columns = lay_out(spec, table, FORM)
    names, starts = merge_names(frame)
    # A rule before every group but the first, which the head's own rule is above.
    first = zip(names.iloc[:, 0], starts, strict=True)
    names[names.columns[0]] = [f"\\midrule\n{name}" if rule else name for name, rule in first]
    heads = list(frame.index.names)
    if frame.columns.nlevels > 1:
        heads = [("",) * (frame.columns.nlevels - 1) + (title,) for title in heads]
    body = pd.DataFrame(
        [[*shown, *cells] for shown, cells in zip(names.to_numpy(), frame.to_numpy(), strict=True)],
        columns=pd.Index([*heads, *frame.columns]),
    )
    # Words and numbers with an interval begin at the same place, other numbers end there.
    wide = [frame.iloc[:, n].str.contains("[", regex=False).any() for n in range(len(columns))]
    kinds = ["l" if c.words or long else "r" for c, long in zip(columns, wide, strict=True)]
    align = "".join(c.align or kind for c, kind in zip(columns, kinds, strict=True))
    return body.style.hide(axis="index").to_latex(
        column_format=f"@{{}}{'l' * len(heads)}{align}@{{}}", hrules=True, multicol_align="c"
    )
