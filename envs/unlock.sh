#!/bin/sh
# Removes the lock that a killed run left behind, but never one that a running Snakemake holds.
set -eu
cd "$(dirname "$0")/.."

[ -n "$(ls .snakemake/locks 2>/dev/null)" ] || exit 0

# A run holds the lock of the folder in which it works.
for pid in $(pgrep -f '[s]nakemake' || true); do
    if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null || echo "$PWD")" = "$(pwd -P)" ]; then
        echo "Snakemake already runs in this folder (process $pid); wait for it or stop it." >&2
        exit 2
    fi
done
echo "Removing the lock of a run that was killed." >&2
.venv/bin/snakemake --unlock >/dev/null
