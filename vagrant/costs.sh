# shellcheck shell=bash disable=SC2154
# What an installation costs, said before it begins, and refused where the disk is too small. Bash, sourced by
# provision.sh and doctor.sh. apt knows the sizes of its packages; python-packages/ has those of Python's.

# Sets $python_count, and the kilobytes $python_download and $python_disk, for an environment that is to be made.
plan_python() {
    local files=() file
    python_count=0 python_download=0 python_disk=0
    ! environment_is_complete || return 0
    files=("$lists_folder/run.txt" "$lists_folder/ryu.txt")
    case $purpose in
        test) files+=("$lists_folder/os-ken.txt" "$lists_folder/test.txt") ;;
        cluster) files+=("$lists_folder/cluster.txt") ;;
    esac
    for file in "${files[@]}"; do
        # shellcheck disable=SC2046
        set -- $(awk '/^# size: / { print $3, $7 }' "$file")
        python_download=$((python_download + $1))
        python_disk=$((python_disk + $2))
        python_count=$((python_count + $(grep -c '==' "$file")))
    done
}

# Says what is to come, and fails if there is no room for it.
tell_costs() {
    local what=()
    plan_python
    ((${#new_packages[@]} == 0)) || what+=("${#new_packages[@]} packages of the distribution")
    ((python_count == 0)) || what+=("$python_count Python packages")
    ((${#what[@]})) || return 0
    say "installing $(join "${what[@]}"), once for every checkout$([[ $store != "$everybodys" ]] || echo " and every user")"
    say "$(cost); logs: $store/logs"
    check_room
}

join() {
    local joined=$1
    shift
    while (($#)); do joined+=" and $1" && shift; done
    echo "$joined"
}

# Time as measured on two cores; a download of 10 Mbit/s besides.
cost() {
    local kilobytes=$((system_download + python_download)) seconds=$((1 + ${#new_packages[@]} / 10 + python_count / 6))
    echo "$(size $kilobytes) to download, $(size $((system_disk + python_disk))) on disk;" \
        "about $seconds s, and the download ($((kilobytes / 1250 + 1)) s at 10 Mbit/s)"
}

# Refuses an installation for which a file system has no room.
check_room() {
    local -A needed=() of=()
    local place device free
    need() {
        place=$1
        while [[ ! -d $place ]]; do place=${place%/*} place=${place:-/}; done
        device=$(stat -c %d "$place")
        needed[$device]=$((${needed[$device]-0} + $2))
        of[$device]=$place
    }
    need /usr "$system_disk"
    need /var/cache/apt/archives "$system_download"
    need "$store" "$((python_disk + python_download))"
    for device in "${!needed[@]}"; do
        free=$(($(df --output=avail -B 1000 "${of[$device]}" | tail -n 1)))
        ((needed[$device] == 0 || free > needed[$device] + 20000)) ||
            fail "the disk is too small. Where ${of[$device]} is, $(size $((needed[$device] + 20000))) are needed." \
                "There are $(size "$free") free. Make room, then run this again."
    done
}
