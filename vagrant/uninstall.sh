#!/bin/bash
# `lastport uninstall [--yes]`: shows what lastport has put where, removes it, and names the packages of the distribution
# that came with it, for apt-get to remove. It needs no environment, and leaves checkouts and their runs/ alone.
set -euo pipefail
export LC_ALL=C.UTF-8

script=$(readlink -f -- "${BASH_SOURCE[0]}")
checkout=${script%/vagrant/*}
# shellcheck source=vagrant/environment.sh
. "$checkout/vagrant/environment.sh"
# shellcheck source=vagrant/progress.sh
. "$checkout/vagrant/progress.sh"
# shellcheck source=vagrant/packages.sh
. "$checkout/vagrant/packages.sh"
# shellcheck source=vagrant/waiting.sh
. "$checkout/vagrant/waiting.sh"

assumed=
for argument in "$@"; do
    case $argument in
        --yes | -y) assumed=1 ;;
        *) say "uninstall has no such option or argument: $argument" && exit 2 ;;
    esac
done

# Whose folder in a home: the user's, and under sudo that of the user who called it.
user=$(id -un)
((EUID != 0)) || user=${SUDO_USER:-root}

home_store() {
    local home
    home=$(getent passwd "$user" | cut -d: -f6)
    if ((EUID == 0)); then
        echo "${home:-/nonexistent}/.local/share/lastport"
    else
        echo "${XDG_DATA_HOME:-${HOME:-$home}/.local/share}/lastport"
    fi
}

# Runs a command as the user whose home it is about: root must follow no link that a user made.
as_user() {
    if ((EUID == 0)) && [[ $user != root ]]; then runuser -u "$user" -- "$@"; else "$@"; fi
}

# Sets $folders to what is there of ours and may be removed, and shows it with its sizes.
find_folders() {
    folders=()
    local folder
    for folder in "$everybodys" "$(home_store)" "$(home_cache)"; do
        [[ -e $folder ]] || continue
        if [[ $folder == "$everybodys" ]] && ((EUID != 0)); then
            echo "  $folder is root's, for every user. To remove it: sudo $(printf %q "$checkout/lastport") uninstall"
            continue
        fi
        folders+=("$folder")
        show_sizes "$folder"
    done
}

# Prints the folders below a folder in which there are no others, two levels down at most, and what all of it takes.
show_sizes() {
    { du -xh --max-depth=2 -- "$1" 2>/dev/null || true; } | sort -k 2 | awk -F '\t' '
        { line[NR] = "  " $0; path[NR] = $2; sub("/[^/]*$", "", $2); parents[$2] }
        END { for (i = 2; i <= NR; i++) if (!(path[i] in parents)) print line[i]; print line[1] " in all" }'
}

# Names the folders of other users, which are theirs to remove.
name_other_homes() {
    local name home
    ((EUID == 0)) || return 0
    while IFS=: read -r name _ _ _ _ home _; do
        [[ $name != "$user" && -d $home/.local/share/lastport && $home/.local/share/lastport != "$everybodys" ]] || continue
        echo "  $home/.local/share/lastport is $name's. To remove it, as that user: lastport uninstall"
    done < <(getent passwd)
}

# Where versions before environments were shared kept a user's caches.
home_cache() {
    local data
    data=$(home_store)
    if ((EUID != 0)) && [[ ${XDG_CACHE_HOME-} ]]; then
        echo "$XDG_CACHE_HOME/lastport"
    else
        echo "${data%/.local/share/lastport}/.cache/lastport"
    fi
}

# Whether nobody installs into a folder. A file in a home is opened as its user.
is_free() {
    local as=
    [[ $1 == "$everybodys" ]] || as=as_user
    ! $as test -f "$1/lock" -a ! -L "$1/lock" || $as flock --nonblock --shared "$1/lock" true
}

refuse_if_in_use() {
    local folder users
    for folder in "${folders[@]}"; do
        users=$(users_of "$folder")
        [[ -z $users ]] || fail "in use, so nothing was removed. End these first, then run this again:" "$users"
        is_free "$folder" || fail "an installation is under way, so nothing was removed. See what holds $folder/lock."
    done
}

ask() {
    [[ ! $assumed ]] || return 0
    if [[ ! -t 0 ]]; then
        say "nothing was removed: this is no terminal to ask on. To remove it: lastport uninstall --yes"
        exit 2
    fi
    local answer
    read -rp "Remove all of that? [y/N] " answer
    [[ $answer == [yY]* ]] || fail "nothing was removed"
}

# Names the packages that came with us, are still installed, and are needed by nothing that came otherwise.
name_packages() {
    [[ -f $came_with_us && ! -e $everybodys ]] || return 0 # root's environment needs them
    local ours=() others needed before=
    mapfile -t ours < <(comm -12 <(sort -u "$came_with_us") <(installed_packages))
    if ((${#ours[@]} == 0)); then
        ((EUID != 0)) || rm -f "$came_with_us"
        return 0
    fi
    while others=$(would_go_too "${ours[@]}") && [[ $others && $before != "${#ours[@]}" ]]; do
        before=${#ours[@]}
        # shellcheck disable=SC2086
        needed=$(apt-cache depends --recurse --installed --important $others 2>/dev/null |
            sed -n 's/^ *|\?[A-Za-z]*: //p' | sort -u)
        mapfile -t ours < <(comm -23 <(printf '%s\n' "${ours[@]}" | sort) - <<<"$needed")
        ((${#ours[@]})) || return 0
    done
    echo
    echo "These ${#ours[@]} packages of the distribution came with lastport, and nothing else here needs them. To remove them:"
    echo
    echo "  $([[ $EUID == 0 && ! ${SUDO_USER-} ]] || echo "sudo ")apt-get purge ${ours[*]}" | fold -s -w 100 | sed '$!s/$/\\/; 2,$s/^/    /'
    echo
    [[ -z $others ]] || echo "That would also remove $(echo "$others" | paste -sd ' '), which came otherwise."
    echo "Their names stay in $came_with_us. Once they are gone, lastport uninstall removes that as well."
}

installed_packages() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort -u
}

# Prints what apt would remove with these packages, besides them.
would_go_too() {
    apt-get -s -o Debug::NoLocking=1 purge "$@" 2>/dev/null | sed -n 's/^\(Purg\|Remv\) \([^ :]*\).*/\2/p' | sort -u |
        comm -23 - <(printf '%s\n' "$@" | sort -u)
}

echo "Of lastport there is on this machine, besides checkouts and their runs/:"
find_folders
name_other_homes
if ((${#folders[@]})); then
    refuse_if_in_use
    ask
    for folder in "${folders[@]}"; do
        if [[ $folder == "$everybodys" ]]; then rm -rf -- "$folder"; else as_user rm -rf -- "$folder"; fi
    done
    echo "Removed."
else
    echo "  nothing that you may remove"
fi
name_packages
