# shellcheck shell=bash disable=SC2154
# Who provisions now, who may, and which environments nobody uses any more. Bash, sourced by provision.sh and others.

# Lets only one provisioning run at a time in a $store. The lock belongs to the open file, which pip inherits, so that a
# pip that outlives a killed provisioning is waited for too. Nobody else may open it, and so hold it. What others may read
# is another file, which the holder locks as well if it can, and in which it writes who it is.
take_turn() {
    if ! mkdir -p "$store/logs" || ! exec 9>>"$store/lock" 6>>"$store/turn"; then
        fail "$store cannot be written. Make it writable, or set XDG_DATA_HOME to a folder that is."
    fi
    chmod 600 "$store/lock"
    if ! flock --nonblock 9; then
        say "waiting for $(holder "$store/turn")"
        flock --timeout 1800 9 || fail "it goes on after half an hour. See what holds $store/lock."
    fi
    flock --nonblock 6 || true
    printf '%s\t%s\t%s\t%s\n' "$$" "$(id -un)" "$(date +%T)" "${*:-provision.sh}" >"$store/turn"
}

# Waits, as another user, while root installs what then serves everybody. False if it does not.
wait_for_root() {
    local lock=$everybodys/turn
    ((EUID != 0)) && [[ -r $lock ]] && ! flock --nonblock --shared "$lock" true || return 1
    say "waiting for $(holder "$lock")"
    flock --timeout 1800 --shared "$lock" true || fail "it goes on after half an hour. See what holds $lock."
}

# Prints whom a file `turn` names.
holder() {
    local process user since command
    IFS=$'\t' read -r process user since command < <(head -c 1000 "$1" | tr -cd '[:print:]\t\n') || true
    if [[ -d /proc/${process:-none} ]]; then
        echo "$user (process $process), who installs this since $since for: $command"
    else
        echo "an installation whose first process has ended"
    fi
}

# Refuses, before it installs anything in the home folder, a user who could not run a lab with it.
refuse_who_cannot() {
    local reason
    reason=$(cannot_run_labs) || return 0
    fail "lastport is not installed on this machine. Root installs it, once for everybody: $(as_root)." \
        "An installation of your own could run no lab: $reason."
}

# Prints what to do where only root can install.
as_root() {
    local command="run port-exhaustion"
    [[ $purpose != test ]] || command="test"
    echo "sudo $(printf %q "${_LASTPORT_CALLED-$checkout/lastport}") $command, or ask whoever administers this machine"
}

# Those of a lab: NAMESPACES in testbed/sandbox/enter.py.
namespaces=(--net --mount --pid --ipc --uts --fork --kill-child --propagation unchanged)

# Prints why a user other than root cannot run a lab here, and is false if nothing stands against it.
cannot_run_labs() {
    local words
    if ! words=$(unshare --user --map-root-user "${namespaces[@]}" true 2>&1); then
        echo "${words:-unshare is refused}"
    elif [[ ! -e /dev/net/tun ]]; then
        echo "there is no /dev/net/tun (as root: mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200)"
    elif ! { : <>/dev/net/tun; } 2>/dev/null; then
        echo "/dev/net/tun cannot be opened"
    else
        return 1
    fi
}

# Prints the processes that use an environment below a folder, one a line: those of this system, as another one (a chroot,
# a container) may have the same paths.
users_of() {
    local process program
    for process in /proc/[0-9]*; do
        IFS= read -r -d '' program 2>/dev/null <"$process/cmdline" || continue
        [[ $program == "$1"/* && (! -r $process/root || $process/root -ef /) ]] || continue
        echo "process ${process#/proc/}: $(tr '\0' ' ' <"$process/cmdline" | cut -c 1-120)"
    done
}

# Removes environments that no process uses and nobody started for a month. Root's may be used by people who cannot
# touch the file `used`: for them the time at which Python last read pyvenv.cfg stands.
remove_old_environments() {
    local old
    for old in "$store"/environments/*/; do
        old=${old%/}
        [[ $old != "$environment" && -z $(users_of "$old") ]] || continue
        [[ -n $(find "$old" -maxdepth 1 \( -name used -mtime -30 -o -name pyvenv.cfg -atime -30 \) -print -quit) ]] ||
            rm -rf -- "$old"
    done
}
