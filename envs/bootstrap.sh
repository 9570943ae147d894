#!/bin/sh
# Makes what `make` needs and is not there yet: a virtual environment in .venv with the pinned
# packages, LaTeX and a browser. Usage: envs/bootstrap.sh run|dev|slurm|supply|latex|browser ...
# (dev adds the test and lint tools, slurm what profiles/slurm needs, supply what audits the packages, browser what tests
# of the gallery need).
# Done before and nothing changed: takes a fraction of a second.
#
# PYTHON       the interpreter to build .venv from (default python3; 3.11 or newer)
# TORCH_INDEX  URL of a package index with CPU builds of torch. On Linux the build that pip finds by
#              default carries CUDA libraries of several gigabytes; it works on a CPU, too.
# HASHES       1 to install only files whose SHA-256 is in envs/hashed/ (torch excepted: its builds differ by index)
set -eu
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
LATEX=$(grep -v '^#' envs/latex-packages.txt | tr '\n' ' ')

say() { echo "bootstrap: $*" >&2; }

# Runs a command as root, with sudo where that needs no password or somebody is there to type it.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo "$@"
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    # After an installation that was killed, apt-get refuses to work until its packages are set up.
    as_root dpkg --configure -a >&2 || return 1
    as_root apt-get update -q >&2 || return 1
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@" >&2
}

# Whether LaTeX has what the paper asks for; latexmk alone may be left of an interrupted installation.
has_latex() {
    command -v latexmk >/dev/null 2>&1 && kpsewhich cleveref.sty lmodern.sty plainnat.bst >/dev/null 2>&1
}

make_venv() {
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "$PYTHON is not Python 3.11 or newer; install one and name it: make PYTHON=/path/to/python3"
        exit 2
    fi
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        say "$PYTHON has no venv module; installing the package python3-venv"
        if ! apt_install python3-venv || ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
            say "no virtual environment: as root, run: apt-get install python3-venv"
            exit 2
        fi
    fi
    "$PYTHON" -m venv --clear .venv
}

# What was installed is remembered with the folder's path, since an environment can't be moved.
stamp_of() { { pwd; cat "$@" pyproject.toml; } | cksum; }

install_packages() {
    stamp=.venv/installed-$1.txt
    requirements=$2
    shift 2
    wanted=$(stamp_of "$@")
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    if [ ! -x .venv/bin/python ] || [ "$(cat .venv/place.txt 2>/dev/null || pwd)" != "$(pwd)" ]; then
        make_venv
    fi
    pwd > .venv/place.txt
    pip=".venv/bin/python -m pip --disable-pip-version-check"
    # torch goes first, so that the index which holds its CPU build serves nothing else.
    say "installing the packages of $requirements into .venv"
    $pip install -q ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' envs/requirements.txt)"
    if [ "${HASHES:-}" = 1 ]; then
        $pip install -q --no-deps --require-hashes -r "envs/hashed/${requirements#envs/}"
    else
        $pip install -q -r "$requirements"
    fi
    $pip install -q --no-deps --no-build-isolation -e .
    echo "$wanted" > "$stamp"
}

for part in "$@"; do
    case $part in
        run) install_packages run envs/requirements.txt envs/requirements.txt ;;
        dev) install_packages dev envs/requirements-dev.txt envs/requirements.txt envs/requirements-dev.txt ;;
        slurm) install_packages slurm envs/requirements-slurm.txt envs/requirements.txt envs/requirements-slurm.txt ;;
        supply) install_packages supply envs/requirements-supply.txt envs/requirements.txt envs/requirements-supply.txt ;;
        latex)
            if ! has_latex; then
                say "installing LaTeX: $LATEX"
                # shellcheck disable=SC2086
                if ! apt_install $LATEX; then
                    say "going on without LaTeX, so without paper/main.pdf; as root, run:" \
                        "apt-get install --no-install-recommends $LATEX"
                fi
            fi
            ;;
        browser)
            if ! { command -v chromium && command -v chromedriver; } >/dev/null 2>&1; then
                say "installing a browser for the tests: chromium chromium-driver"
                if ! apt_install chromium chromium-driver; then
                    say "going on without a browser, so without the tests of the gallery's page; as root, run:" \
                        "apt-get install --no-install-recommends chromium chromium-driver"
                fi
            fi
            ;;
        *)
            say "unknown part '$part'; choose from run, dev, slurm, supply, latex, browser"
            exit 2
            ;;
    esac
done
