"""results/index.html, from a made-up results folder: what it shows, leaves out and never loads."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from page_reader import PageReader
from synthetic_results import CONFIG, TASKS, make_config, write_results
from taskreason.report.captions import FIGURE_TITLES, FOLDER, TABLE_TITLES, name_caption
from taskreason.report.inputs import list_tables
from taskreason.report.page.build import name_stage, write_page
from taskreason.report.tables.registry import make_table, write_table

CFG = make_config(
    base={"compare": ["bundled:base_models/small"]}, report={"baselines": ["random", "sft_longer"]}
)
FIGURES = ("success_rate", "learning_sft", "kitchen")
THEORY = "task,kitchens,sft,sft_grpo,gain,gain_low,gain_high,states_not_lower,kitchens_not_lower"
THEORY += ",assumption,assumption_by_chance,given_assumption"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A results folder with all tables and three figures, whose pictures are no more than their names."""
    out = tmp_path_factory.mktemp("work") / "results"
    root = write_results(
        out / "laptop", 6, rates={"random": 0.0, "base:small": 0.3, "sft_longer": 0.6}
    )
    for name in list_tables(CFG):
        write_table(make_table(name, root, CFG), out / "tables", name)
    for name in FIGURES:
        for kind in ("png", "pdf"):
            picture = out / "figures" / f"{name}.{kind}"
            picture.parent.mkdir(exist_ok=True)
            picture.write_text(name)
    write_benchmark(out / "laptop/benchmarks/train_sft/burger.tsv", 90, 60, 700)
    write_benchmark(out / "laptop/benchmarks/train_sft/cheese_burger.tsv", 30, "NA", "NA")
    write_benchmark(out / "benchmarks/make_tables.tsv", 12, 6, 200)
    return out


def write_benchmark(path, seconds, processor, memory):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t{memory}\t{processor}\n")


def make_page(out, without=()) -> PageReader:
    page = out / "index.html"
    files = [*sorted((out / "tables").glob("*.csv")), *sorted((out / "figures").glob("*.png"))]
    write_page(
        page,
        out / "laptop",
        [file for file in files if file.stem not in without],
        CFG,
        sorted((out / "laptop/training").rglob("*.provenance.json")),
        {"A table": out / "tables" / "main.csv"},
    )
    return PageReader(page)


@pytest.fixture(scope="module")
def page(out):
    return make_page(out)


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_somewhere(page):
    assert len(page.loaded) > len(FIGURES)
    assert [source for source in page.loaded if not source.startswith("data:")] == []
    assert page.list_broken_links() == []
    assert "tables/main.csv" in page.links and "figures/kitchen.pdf" in page.links
    assert len(page.ids) == len(set(page.ids))


def read_numbers(path, part=None, names=("seed",)) -> list[str]:
    """Every number of a CSV file but those that name a row."""
    rows = [row for row in csv.DictReader(path.open()) if part in (None, row.get("part"))]
    values = [value for row in rows for key, value in row.items() if value and key not in names]
    return sorted(value for value in values if is_number(value))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        *("main", "baselines", "gains", "sharpening"),
        *("comparison", "comparison_grid", "probes", "seeds"),
    ],
)
def test_tables_have_every_number_of_their_files(page, out, name):
    parts = {"comparison": "main", "comparison_grid": "grid"}
    file = "comparison" if name in parts else name
    silent = {"baselines": ["episodes"], "gains": ["worlds"], "sharpening": ["temperature"]}
    left_out = ["seed", *silent.get(name, [])]
    wanted = read_numbers(out / "tables" / f"{file}.csv", parts.get(name), left_out)
    if name == "main":
        # Nothing was cut, so that the column is left out.
        cut = [row["cut_rate"] for row in csv.DictReader((out / "tables/main.csv").open())]
        assert set(cut) == {"0"}
        for value in cut:
            wanted.remove(value)
    assert sorted(value for _, value in page.numbers[f"table-{name}"]) == wanted


def test_the_table_of_starts_has_every_rate_and_each_number_of_worlds_once(page, out):
    rows = list(csv.DictReader((out / "tables/starts.csv").open()))
    rates = [row[key] for row in rows for key in ("sr", "sr_low", "sr_high") if row[key]]
    numbers = {(row["task"], row["part"]): row["kitchens"] for row in rows}
    assert len(numbers) == 5 * len(TASKS)
    wanted = sorted([*rates, *numbers.values()])
    assert sorted(value for _, value in page.numbers["table-starts"]) == wanted


def test_printed_numbers_are_those_of_the_files_rounded(page):
    checked = 0
    for numbers in page.numbers.values():
        for text, value in numbers:
            if text.startswith("<"):  # a p-value too small to be printed
                assert float(value) < float(text[1:])
                continue
            percent = 100 if text.endswith("%") else 1
            digits = text.rstrip("%").replace("−", "-").replace(",", "")
            half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
            assert abs(float(digits) - percent * float(value)) <= half * 1.000001, (text, value)
            checked += 1
    assert checked > 500


def test_the_headline_counts_what_the_table_says(page, out):
    """Whether GRPO improves on SFT is told by intervals, though its rates are chosen above SFT's."""
    text = " ".join((out / "index.html").read_text().split())
    gains = [row for row in csv.DictReader((out / "tables/gains.csv").open())]
    for over, words in (("sft", "GRPO on SFT"), ("sft_longer", "samples, SFT + GRPO gains")):
        lows = [float(row["gain_low"]) for row in gains if row["over"] == over]
        assert len(lows) == 4
        assert f"{words} on {sum(low > 0 for low in lows) or 'none'} of the 4 tasks" in text
    shown = page.text["table-headline"]
    assert "Longer SFT" in shown and "Gain over longer SFT" in shown
    rows = list(csv.DictReader((out / "tables/main.csv").open()))
    mean = sum(float(row["sr"]) for row in rows if row["policy"] == "sft_grpo") / len(TASKS)
    assert re.search(rf"to {mean:.2f} \[0\.\d\d, [01]\.\d\d\] \(SFT \+ GRPO\)", text)


def test_the_headline_counts_the_tasks_with_a_gain_over_the_best_untrained_model(page, out):
    """The base model, which solves nothing, is never the best of the two."""
    rows = list(csv.DictReader((out / "tables/gains.csv").open()))
    lows = [float(row["gain_low"]) for row in rows if row["over"] == "base:small"]
    number = sum(low > 0 for low in lows)
    assert len(lows) == len(TASKS) and 0 < number < len(TASKS), "both cases are there"
    text = " ".join((out / "index.html").read_text().split())
    assert (
        f"untrained (Base; Base, small), the interval of the gain above zero, on {number} of the"
        in text
    )


def test_costs_are_summed_by_stage(page):
    rows = page.text["table-costs"].split()
    assert rows[rows.index("train_sft") :][:6] == ["train_sft", "2", "2.0", "1.5", "1.0", "700"]
    assert rows[rows.index("all") :] == ["all", "3", "2.2", "1.5", "1.1", "700"]
    stages = {"evaluate/sft/burger.tsv": "evaluate sft", "evaluate/base.tsv": "evaluate base"}
    stages |= {
        "ablation/burger/grpo/noise=0.1.tsv": "ablation grpo",
        "prepare_base.tsv": "prepare_base",
    }
    assert {name: name_stage(Path(name)) for name in stages} == stages


def test_a_table_that_the_run_lacks_leaves_its_section_out(page, out):
    assert "theory" not in page.ids and "ablations" not in page.ids and "episode" in page.ids
    theory = out / "tables" / "theory_multi.csv"
    theory.write_text(f"{THEORY}\nburger,30,0.5,0.75,0.25,0.125,0.5,0.9,0.8,0.7,0.6,\n")
    with_theory = make_page(out)
    assert "theory" in with_theory.ids
    assert ("+0.250", "0.25") in with_theory.numbers["table-theory_multi"]
    theory.unlink()
    less = make_page(out, without=("probes", "kitchen"))
    assert "table-probes" not in less.ids and "episode" not in less.ids and "training" in less.ids


def test_settings_and_provenance_are_shown(page):
    words = page.text["table-settings"].split()
    settings = dict(zip(words, words[1:], strict=False))
    assert settings["grpo.beta"] == str(CONFIG.grpo.beta) and settings["sft.augment"] == "yes"
    assert page.text["table-trainings"].count("A processor_name & more, 2 cores, 8.0 GiB") == 8
    assert "2.13.0" in page.text["table-versions"]


def test_the_page_survives_being_moved_with_what_it_links_to(out, tmp_path):
    make_page(out)
    moved = shutil.copytree(out, tmp_path / "elsewhere")
    assert PageReader(moved / "index.html").list_broken_links() == []


def test_everything_shown_has_a_caption_and_every_caption_is_used():
    wanted = {name_caption("tables", name) for name in [*TABLE_TITLES, *list_tables(CFG)]}
    wanted |= {name_caption("figures", name) for name in FIGURE_TITLES}
    assert wanted == {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.rst")}
