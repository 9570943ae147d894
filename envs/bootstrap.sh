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
#
# What a shell sets for other Python programs (PYTHONPATH, PYTHONHOME, ...) is left out; of pip's settings those are
# heeded that say where packages come from (envs/run_pip.py).
set -eu
unset CDPATH
for name in $(env | sed -n 's/^\(PYTHON[A-Za-z_0-9][A-Za-z_0-9]*\)=.*/\1/p'); do
    unset "$name"
done
# In every locale.
export PYTHONUTF8=1
cd -P -- "$(dirname -- "$0")/.."
here=$(pwd -P)

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

# Refuses a folder in which something of the installation would fail later, and not say why.
check_place() {
    case $here in
        *[:{}\"\$\`\\]* | *"
"*) fit=no ;;
        *) fit=$([ ! -f "$here/envs/bootstrap.sh" ] || echo yes) ;; # the shell drops a line's end at the path's end
    esac
    if [ "$fit" != yes ]; then
        say "the path of this folder has a character that environments or Snakemake can't deal with" \
            "(one of : { } \" \$ \` \\ or a line's end); rename or move the folder: $here"
        exit 2
    fi
}

make_venv() {
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "$PYTHON is not Python 3.11 or newer; install one and name it: make PYTHON=/path/to/python3"
        exit 2
    fi
    if ! "$PYTHON" -c 'import os; os.getcwd().encode()' 2>/dev/null; then
        say "the path of this folder is not in UTF-8; rename or move the folder: $here"
        exit 2
    fi
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        say "$PYTHON has no venv module; installing the package python3-venv"
        if ! apt_install python3-venv || ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
            say "no virtual environment: as root, run: apt-get install python3-venv"
            exit 2
        fi
    fi
    if [ -L .venv ] && [ ! -e .venv ]; then
        rm .venv
    elif [ -e .venv ] && [ ! -d .venv ]; then
        say ".venv is a file where the environment belongs; rename or remove it"
        exit 2
    fi
    "$PYTHON" -m venv --clear .venv
}

# Whether the interpreter that .venv was made with is still there, and the same version: after an upgrade, .venv's link
# may lead to a Python that finds none of its packages.
has_interpreter() {
    [ -x .venv/bin/python ] && .venv/bin/python -I -X utf8 -c \
        'import os, sys, sysconfig; sys.exit(not os.path.isdir(sysconfig.get_path("purelib")))' 2>/dev/null
}

has_pip() {
    .venv/bin/python -I -X utf8 -c 'import pip' 2>/dev/null
}

# Makes .venv, makes it anew or mends it where it is not what it should be.
settle_venv() {
    if [ -e .venv ] && ! has_interpreter; then
        say ".venv is unfinished, or the Python that it was made with is gone or of another version; making it anew"
        make_venv
    elif [ ! -e .venv ] || [ "$(cat .venv/place.txt 2>/dev/null || echo "$here")" != "$here" ]; then
        make_venv
    elif [ -e .venv/installing.txt ] && ! .venv/bin/python -I -X utf8 envs/check_packages.py; then
        say "an installation was interrupted; making .venv anew"
        make_venv
    elif ! has_pip; then
        say ".venv has no pip; adding it"
        .venv/bin/python -I -X utf8 -m ensurepip --default-pip >/dev/null 2>&1 || make_venv
    fi
    if ! has_pip; then
        say "pip can't be put into .venv; remove .venv, and name another Python: make PYTHON=/path/to/python3"
        exit 2
    fi
}

# What was installed is remembered with the folder's path, since an environment can't be moved.
stamp_of() { { pwd -P; cat "$@" pyproject.toml; } | cksum; }

# Writes a command of .venv that starts Python apart from what the user's shell sets for it.
write_command() {
    name=$1
    shift
    {
        echo '#!/bin/sh'
        printf "exec '%s' -I -X utf8" "$(quoted "$here/.venv/bin/python")"
        for word in "$@"; do
            printf " '%s'" "$(quoted "$word")"
        done
        # shellcheck disable=SC2016
        echo ' "$@"'
    } > ".venv/bin/$name.new"
    chmod +x ".venv/bin/$name.new"
    mv -f ".venv/bin/$name.new" ".venv/bin/$name"
}

write_commands() {
    write_command snakemake "$here/envs/run_snakemake.py"
    write_command taskreason -m taskreason.cli.main
}

quoted() { printf %s "$1" | sed "s/'/'\\\\''/g"; }

install_packages() {
    stamp=.venv/installed-$1.txt
    requirements=$2
    shift 2
    wanted=$(stamp_of "$@")
    if [ ! -e .venv/installing.txt ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && has_interpreter; then
        write_commands
        return
    fi
    check_place
    settle_venv
    echo "$here" > .venv/place.txt
    # Left behind where the installation is killed.
    echo "$requirements" > .venv/installing.txt
    python=".venv/bin/python -I -X utf8"
    # Compiled below, on all cores; pip would take one.
    install="$python envs/run_pip.py install -q --no-compile"
    # torch goes first, so that the index which holds its CPU build serves nothing else.
    say "installing the packages of $requirements into .venv"
    $install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' envs/requirements.txt)"
    if [ "${HASHES:-}" = 1 ]; then
        $install --no-deps --require-hashes -r "envs/hashed/${requirements#envs/}"
    else
        $install -r "$requirements"
    fi
    # Nothing is fetched for this, so no home is needed, whose settings (.pydistutils.cfg) could lead it elsewhere.
    HOME=$here/.venv LC_ALL=C.UTF-8 $install --no-deps --no-build-isolation -e .
    # Python reads this file in the encoding of the locale at hand, so the folder's own name stays out of it.
    for file in .venv/lib/python3*/site-packages/__editable__*taskreason*.pth; do
        [ ! -f "$file" ] || echo ../../../../workflow > "$file"
    done
    # What is seldom or never imported is compiled when it is. Some files are for other versions of Python, or templates.
    $python -m compileall -qq -j 0 -x '/tests?/|/transformers/models/' .venv/lib/python3*/site-packages || :
    write_commands
    rm .venv/installing.txt
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
