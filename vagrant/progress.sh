# shellcheck shell=bash disable=SC2034,SC2154
# What provisioning prints, all of it on standard error. Bash, sourced by provision.sh with $store set.
#
# Steps that run side by side send what they are at to one painter: on a terminal it rewrites a line, elsewhere it prints
# a line for each package.

say() {
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    printf 'lastport: %s\n' "$@" >&2
}

fail() {
    say "$@"
    exit 3
}

# Starts the painter, which ends when all that have file descriptor 5 have closed it.
start_painter() {
    local pipe=$store/logs/progress
    rm -f "$pipe"
    mkfifo "$pipe"
    (trap '' INT TERM HUP && paint) <"$pipe" &
    painter=$!
    exec 5>"$pipe"
    rm -f "$pipe"
}

stop_painter() {
    exec 5>&-
    wait "$painter" || true
}

paint() {
    local part kind text columns=80
    declare -A latest=()
    [[ ! -t 2 ]] || columns=$(stty size <&2 2>/dev/null | cut -d ' ' -f 2)
    ((columns)) || columns=80 # a terminal that does not know
    while IFS=$'\t' read -r part kind text; do
        if [[ -t 2 ]]; then
            latest[$part]=$text
            text="lastport: ${latest[system]-}${latest[system]:+${latest[python]:+ | }}${latest[python]-}"
            printf '\r\e[K%s' "${text:0:columns-1}" >&2
        elif [[ $kind == item ]]; then
            printf 'lastport: %s\n' "$text" >&2
        fi
    done
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
}

# Sends what a part (`system` or `python`) is at: an `item` is worth a line anywhere, a `moment` only on a terminal.
show() {
    printf '%s\t%s\t%s\n' "$@" >&5
}

# Runs a command with its output in a log of its own; where it fails, shows its last lines and is false.
step() {
    local name=$1 what=$2
    shift 2
    ("$@") >"$store/logs/$name.log" 2>&1 </dev/null && return
    say "failed: $what. Its last lines (all are in $store/logs/$name.log):"
    tail -n 12 "$store/logs/$name.log" | cut -c 1-200 | sed 's/^/    /' >&2
    return 1
}

# Writes kilobytes as 850 kB or 12.3 MB.
size() {
    if (($1 < 1000)); then echo "$1 kB"; else echo "$(($1 / 1000)).$(($1 % 1000 / 100)) MB"; fi
}

# Sets $kilobytes from a size as pip and apt write it: 850 kB, 12.3 MB.
read_size() {
    local number=${1%% *} unit=${1##* } fraction
    unit=${unit%)}
    fraction=${number#*.}
    [[ $number == *.* ]] || fraction=0
    number=${number%.*}
    case $unit in
        GB) kilobytes=$((number * 1000000 + fraction * 100000)) ;;
        MB) kilobytes=$((number * 1000 + fraction * 100)) ;;
        kB) kilobytes=$number ;;
        *) kilobytes=1 ;;
    esac
}
