"""Made-up results of the map of regimes and of whose states, for their tables, figures and sections of the paper."""

from synthetic_results import make_episode, write_json, write_lines
from taskreason.studies.regimes import list_points, list_starts
from taskreason.studies.states import START, list_trainings

KITCHENS = 20
WINS = {"sft_seen": 10, "grpo_own": 16, "grpo_seen": 8}


def write_map(folder, cfg):
    """Results in which GRPO wins 2 kitchens more than its control for each tenth of noise, and spread goes with it."""
    rows = [{"layout_hash": f"{n:016x}", "optimal_steps": 8} for n in range(KITCHENS)]

    def write(path, wins):
        episodes = [
            make_episode(row, "burger", n < wins, 8 if n < wins else 15)
            for n, row in enumerate(rows)
        ]
        write_lines(path, episodes)

    write(folder / "base" / "episodes.jsonl", 0)
    for name in list_starts(cfg):
        write(folder / "sft" / name / "episodes.jsonl", 4)
    for name, point in list_points(cfg).items():
        write(folder / "longer" / name / "episodes.jsonl", 8)
        write(folder / "grpo" / name / "episodes.jsonl", 8 + round(20 * point.noise) - point.seed)
        place = folder / "grpo" / name / "log.csv"
        shares = [0.9 - point.noise] * 5 + [1.0] * 3
        place.write_text(
            "step,zero_std_share\n" + "".join(f"{n},{s}\n" for n, s in enumerate(shares))
        )
    return folder


def write_states(folder, cfg, failed=10):
    """Of 20 kitchens the SFT policy wins 6; each arm as ``WINS`` says, or 12, its second seed one more."""
    rows = [{"layout_hash": f"{n:016x}", "optimal_steps": 8} for n in range(20)]
    for name in [START, *list_trainings(cfg)]:
        arm, _, seed = name.partition(".seed")
        wins = 6 if name == START else WINS.get(arm, 12) + int(seed)
        won = [
            make_episode(row, "burger", n < wins, 8 if n < wins else 15)
            for n, row in enumerate(rows)
        ]
        write_lines(folder / name / "episodes.jsonl", won)
        counts = {"expert": {"states": 40, "optimal": 20 + wins, "expert": 20}}
        counts["failed"] = {"states": failed, "optimal": failed and wins // 2, "expert": 0}
        write_json(folder / name / "single_turn.json", counts)
        if name.startswith("grpo"):
            text = f"step,generated_tokens\n1,2500\n2,{2600 + 100 * int(seed)}\n"
            (folder / name / "log.csv").write_text(text)
    return folder
