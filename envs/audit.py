"""Look up every pinned package in a database of known vulnerabilities, and say in one sentence how that went.

    python envs/audit.py

Runs pip-audit on envs/requirements*.txt. Exit status 0: all were looked up and nothing is known that envs/audit.txt
does not justify; 1: something is; 3: the database can't be reached from here, so that nothing is known either way.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ENVS = Path(__file__).resolve().parent
JUSTIFIED = ENVS / "audit.txt"


def list_pins() -> list[str]:
    """Every pin of every requirements file, once."""
    lines = [
        line
        for path in sorted(ENVS.glob("requirements*.txt"))
        for line in path.read_text().splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if not line.startswith(("#", "-r "))))


def read_justified() -> set[str]:
    """The identifiers of vulnerabilities that envs/audit.txt says why the project need not heed."""
    lines = JUSTIFIED.read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def ask(pins: list[str]) -> list[dict] | None:
    """What pip-audit knows of each pin; None where it could not ask."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins) + "\n")
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "-r", file.name, "--no-deps", "--disable-pip"]
        done = subprocess.run(
            [*command, "-f", "json", "--progress-spinner", "off"], capture_output=True, text=True
        )
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None


def judge(found: list[dict] | None, pins: int, justified: set[str]) -> tuple[str, int]:
    """The sentence, and the exit status."""
    known = [package for package in found or [] if "vulns" in package]
    if len(known) < pins:
        return (
            f"audit: {pins - len(known)} of {pins} packages could not be looked up, as the database of "
            "vulnerabilities does not answer from here; nothing is known of these: run `make audit` where there is "
            "a network.",
            3,
        )
    open_ = [
        f"{package['name']} {package['version']}: {flaw['id']}"
        for package in known
        for flaw in package["vulns"]
        if not justified & {flaw["id"], *flaw.get("aliases", [])}
    ]
    if open_:
        return (
            f"audit: known vulnerabilities: {'; '.join(open_)}; move the version (envs/lock.py) or say in "
            "envs/audit.txt why it does not matter here.",
            1,
        )
    return f"audit: {pins} packages looked up, no vulnerability that matters here is known.", 0


def main() -> None:
    pins = list_pins()
    sentence, status = judge(ask(pins), len(pins), read_justified())
    print(sentence, file=sys.stderr if status else sys.stdout)
    sys.exit(status)


if __name__ == "__main__":
    main()
