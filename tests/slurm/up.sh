#!/bin/sh
# Starts a SLURM cluster of one node, this machine, for tests/workflow/test_slurm.py: partitions cpu and gpu,
# two fake GPUs. As root, without systemd; everything it writes lies in FOLDER, except for one link
# (/etc/slurm/slurm.conf) and the link's folder. tests/slurm/down.sh FOLDER takes it all away again.
#
# Usage: tests/slurm/up.sh FOLDER [accounting]
#        accounting  a database of jobs as well, so that sacct works
# Needs: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
#        and for accounting: slurmdbd mariadb-server
set -eu

[ $# -ge 1 ] || { echo "usage: $0 FOLDER [accounting]" >&2; exit 2; }
FOLDER=$1
ACCOUNTING=${2:-}
NODE=$(hostname -s)
# nproc would take OMP_NUM_THREADS for their number.
CPUS=$(env -u OMP_NUM_THREADS nproc)
# A tenth of the memory stays with the machine.
MEMORY=$(awk '/^MemTotal:/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
SYSTEM_CONF=/etc/slurm/slurm.conf

fail() { echo "up.sh: $*" >&2; exit 1; }

# Runs a command until it succeeds, for at most half a minute.
wait_until() {
    tries=0
    until timeout 10 "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "gave up waiting for: $*; logs are in $FOLDER/log"
        sleep 0.2
    done
}

[ "$(id -u)" -eq 0 ] || fail "SLURM's daemons start jobs as other users: run this as root"
[ ! -e "$FOLDER" ] || fail "$FOLDER exists; take it away with down.sh or name another folder"
if [ -e "$SYSTEM_CONF" ] || [ -L "$SYSTEM_CONF" ]; then
    fail "$SYSTEM_CONF exists: this machine has a SLURM already, and it is left alone"
fi

# Traversable by everybody, as munged asks for, and without blanks, which slurm.conf can't name.
umask 022
mkdir -p "$FOLDER/etc" "$FOLDER/log" "$FOLDER/run" "$FOLDER/state" "$FOLDER/spool"
FOLDER=$(cd "$FOLDER" && pwd -P)
SOCKET=$FOLDER/run/munge.socket

# Authentication. --force turns munged's complaints about unusual places into warnings.
head -c 1024 /dev/urandom > "$FOLDER/etc/munge.key"
chmod 0400 "$FOLDER/etc/munge.key"
munged --force --key-file="$FOLDER/etc/munge.key" --seed-file="$FOLDER/state/munge.seed" \
    --socket="$SOCKET" --pid-file="$FOLDER/run/munged.pid" --log-file="$FOLDER/log/munged.log"
wait_until munge --socket="$SOCKET" --no-input

# The GPUs are copies of /dev/null: SLURM hands out devices, not plain files, and nothing opens these.
mknod "$FOLDER/etc/gpu0" c 1 3
mknod "$FOLDER/etc/gpu1" c 1 3
cat > "$FOLDER/etc/gres.conf" <<END
NodeName=$NODE Name=gpu Type=fake File=$FOLDER/etc/gpu[0-1]
END

# Ports other than SLURM's own. MinJobAge keeps ended jobs visible to squeue and scontrol for hours.
cat > "$FOLDER/etc/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$NODE(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET
SlurmctldPidFile=$FOLDER/run/slurmctld.pid
SlurmctldLogFile=$FOLDER/log/slurmctld.log
SlurmdPidFile=$FOLDER/run/slurmd.pid
SlurmdLogFile=$FOLDER/log/slurmd.log
SlurmdSpoolDir=$FOLDER/spool
StateSaveLocation=$FOLDER/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=512
SchedulerParameters=batch_sched_delay=0,bf_interval=5,sched_min_interval=1
ReturnToService=2
JobRequeue=0
KillWait=5
MinJobAge=14400
GresTypes=gpu
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEMORY Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes=$NODE Default=YES MaxTime=1-0 State=UP
PartitionName=gpu Nodes=$NODE MaxTime=1-0 State=UP
END
if [ "$ACCOUNTING" ]; then
    cat >> "$FOLDER/etc/slurm.conf" <<END
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=26819
AccountingStoragePass=$SOCKET
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
END
else
    echo "AccountingStorageType=accounting_storage/none" >> "$FOLDER/etc/slurm.conf"
fi
export SLURM_CONF="$FOLDER/etc/slurm.conf"
# Inside a job the plugin clears SLURM_CONF, so its srun looks here.
[ -d /etc/slurm ] || { mkdir /etc/slurm; : > "$FOLDER/run/made-etc-slurm"; }
ln -s "$SLURM_CONF" "$SYSTEM_CONF"

if [ "$ACCOUNTING" ]; then
    mariadb-install-db --no-defaults --user=root --datadir="$FOLDER/state/database" \
        --auth-root-authentication-method=normal --skip-test-db > "$FOLDER/log/database.log" 2>&1
    setsid mariadbd --no-defaults --user=root --datadir="$FOLDER/state/database" \
        --socket="$FOLDER/run/database.socket" --pid-file="$FOLDER/run/mariadbd.pid" \
        --skip-networking --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
        </dev/null >> "$FOLDER/log/database.log" 2>&1 &
    wait_until mariadb-admin --no-defaults --user=root --socket="$FOLDER/run/database.socket" ping
    cat > "$FOLDER/etc/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$SOCKET
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=26819
SlurmUser=root
LogFile=$FOLDER/log/slurmdbd.log
PidFile=$FOLDER/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
END
    # It may hold a password, so slurmdbd wants it to be nobody else's.
    chmod 0600 "$FOLDER/etc/slurmdbd.conf"
    MYSQL_UNIX_PORT="$FOLDER/run/database.socket" slurmdbd </dev/null >/dev/null 2>&1
    wait_until sacctmgr --noheader show cluster
    sacctmgr --immediate add cluster test >/dev/null
fi

# -i: there is no state to recover.
slurmctld -i </dev/null >/dev/null 2>&1
wait_until scontrol ping
slurmd -N "$NODE" </dev/null >/dev/null 2>&1
wait_until sh -c 'sinfo --noheader --states=idle --format=%T | grep -q idle'
sinfo --format='%P %T %c CPUs %m MiB %G' >&2
