"""Run pip with what the user has set about where packages come from, and with no other setting of theirs.

    python -I envs/run_pip.py install ...

A mirror, a proxy or a certificate is needed to reach any package. A setting that sends packages elsewhere (`user`,
`target`, `prefix`) or leaves some out would end in an environment that lacks them.
"""

import ast
import os
import subprocess
import sys

KEPT = {
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "constraint"),
    *("cert", "client-cert", "proxy", "timeout", "default-timeout", "retries"),
    *("cache-dir", "no-cache-dir", "keyring-provider", "use-feature", "use-deprecated"),
}
FIXED = {"disable-pip-version-check": "1", "no-input": "1", "root-user-action": "ignore"}
BUILD = ("SETUPTOOLS_", "DIST_EXTRA_CONFIG", "DISTUTILS_")
"""Variables that change how the project itself is installed."""


def read_settings(listed: str) -> dict[str, str]:
    """What is kept of the lines of `pip config list`; those for one command, then variables, go before."""
    ranks = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        name, _, text = line.partition("=")
        section, _, key = name.rpartition(".")
        rank = ranks.get(section, -1)
        if key in KEPT and rank >= found.get(key, (0, ""))[0]:
            found[key] = rank, " ".join(str(ast.literal_eval(text)).split())
    return {key: value for key, (_, value) in found.items()}


def main() -> None:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(BUILD) and (name == "PYTHON" or not name.startswith("PYTHON"))
    }
    pip = [sys.executable, "-I", "-X", "utf8", "-m", "pip"]
    # A setting named `user` makes pip list the user's own file alone.
    plain = variables | {"PIP_USER": "0", "PIP_GLOBAL": "0", "PIP_SITE": "0"}
    listed = subprocess.run(
        [*pip, "config", "list"], env=plain, capture_output=True, text=True, errors="replace"
    )
    if listed.returncode:
        print(f"pip's settings can't be read: {listed.stderr.strip()}", file=sys.stderr)
    settings = read_settings(listed.stdout) | FIXED
    variables = {name: value for name, value in variables.items() if not name.startswith("PIP_")}
    variables |= {f"PIP_{key.upper().replace('-', '_')}": text for key, text in settings.items()}
    variables["PIP_CONFIG_FILE"] = os.devnull
    os.execve(sys.executable, [*pip, *sys.argv[1:]], variables)


if __name__ == "__main__":
    main()
