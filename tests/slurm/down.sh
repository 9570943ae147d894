#!/bin/sh
# Stops what tests/slurm/up.sh started in FOLDER, jobs first, and removes FOLDER.
# Usage: tests/slurm/down.sh FOLDER
set -eu

[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
[ -f "$1/etc/slurm.conf" ] || { echo "down.sh: no cluster in $1" >&2; exit 1; }
FOLDER=$(cd "$1" && pwd -P)
export SLURM_CONF="$FOLDER/etc/slurm.conf"
SYSTEM_CONF=/etc/slurm/slurm.conf

# Whether a process still is the daemon that wrote its pid file.
runs() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]; }

# Jobs are no children of the daemons and would outlive them.
if timeout 10 scontrol ping >/dev/null 2>&1; then
    timeout 30 scancel --user=root || true
    tries=0
    while [ "$(timeout 10 squeue --noheader 2>/dev/null)" ] && [ "$tries" -lt 60 ]; do
        tries=$((tries + 1))
        sleep 0.5
    done
fi

for daemon in slurmd slurmctld slurmdbd mariadbd munged; do
    file=$FOLDER/run/$daemon.pid
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    runs "$pid" "$daemon" || continue
    kill "$pid"
    tries=0
    while runs "$pid" "$daemon"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { kill -KILL "$pid"; break; }
        sleep 0.2
    done
done

[ "$(readlink "$SYSTEM_CONF" 2>/dev/null)" != "$SLURM_CONF" ] || rm "$SYSTEM_CONF"
[ ! -e "$FOLDER/run/made-etc-slurm" ] || rmdir /etc/slurm
rm -rf "$FOLDER"
