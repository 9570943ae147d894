"""Make the panel of worlds that policies are scored on, from the evaluation worlds of the default run.

The worlds are those that a run draws for evaluation and for its further kinds, so that a policy's score is what its
evaluation says. Once a version has been published it stays as it is; other worlds are another version.

    snakemake $(python benchmarks/panel.py --targets)
    python benchmarks/panel.py
"""

import sys
from pathlib import Path

from taskreason.config.load import load_config
from taskreason.rollouts.dataset import load_starts
from taskreason.rollouts.panel import UNSEEN, VERSION, write_panel

KINDS = {UNSEEN: "eval", "hard": "hard", "larger": "larger"}
"""Kind of worlds in the panel -> the split of a run that has them."""
ROOT = Path("results/laptop/worlds")


def main() -> None:
    cfg = load_config({})
    if sys.argv[1:] == ["--targets"]:
        print(*(ROOT / task / f"{split}.jsonl" for task in cfg.tasks for split in KINDS.values()))
        return
    worlds = {
        kind: {
            task: [
                start.world for start in load_starts(task, ROOT / task / f"{split}.jsonl", cfg.env)
            ]
            for task in cfg.tasks
        }
        for kind, split in KINDS.items()
    }
    folder = cfg.env.data / "panel" / f"v{VERSION}"
    write_panel(folder, cfg.env, worlds)
    print(f"{folder}: written")


if __name__ == "__main__":
    main()
