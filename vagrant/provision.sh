#!/bin/bash
# Makes a machine able to run lastport: `provision.sh [run|test|cluster]`. Packages of the distribution where a program is
# missing, and an environment (environment.sh says where). Run by Vagrant, by ./lastport on a bare machine, and by CI; run
# again, it does nothing and needs no network. For `test` there is also what tests and linters need, for `cluster` Dask.
#
# It says first what it costs, and refuses what cannot be. A step that fails shows its last lines, says what to do, and
# ends with status 3. Interrupted anywhere, even by kill -9, it goes on where it was or begins a step anew.
set -euo pipefail
umask 022 # root's environment is for every user
export LC_ALL=C.UTF-8

script=$(readlink -f -- "${BASH_SOURCE[0]}")
checkout=${script%/vagrant/*}
purpose=${1:-run}
shift || true
# shellcheck source=vagrant/environment.sh
. "$checkout/vagrant/environment.sh"
# shellcheck source=vagrant/progress.sh
. "$checkout/vagrant/progress.sh"
# shellcheck source=vagrant/packages.sh
. "$checkout/vagrant/packages.sh"
# shellcheck source=vagrant/waiting.sh
. "$checkout/vagrant/waiting.sh"
# shellcheck source=vagrant/costs.sh
. "$checkout/vagrant/costs.sh"

# shellcheck source=vagrant/make-environment.sh
. "$checkout/vagrant/make-environment.sh"

case $purpose in
    run | test | cluster) ;;
    *) fail "$purpose: what to make ready for is run, test or cluster" ;;
esac

# Each part is a process group of its own: Ctrl-C, which is for the group in front, is handed to them.
interrupted() {
    trap '' INT TERM HUP
    stop_python_part
    stop_system_part
    fail "interrupted. Run this again to go on."
}

stop_python_part() {
    [[ -z $python ]] || kill -- "-$python" 2>/dev/null || true
}

stop_system_part() {
    [[ $system ]] || return 0
    [[ ! -s $store/installing ]] ||
        say "interrupted: apt finishes what it has begun, which may take half a minute"
    kill -INT -- "-$system" 2>/dev/null || true
    wait "$system" || true
}

make_system_part() {
    set +m
    trap 'exit 130' INT
    trap forget_quick_apt EXIT
    step packages "installing ${packages[*]}" install_packages "${packages[@]}"
}

# The Python part begins when apt has brought Python, and goes on beside the rest.
provide_all() {
    if ! environment_is_complete; then
        set -m
        make_python_part &
        python=$!
        set +m
    fi
    if [[ -e $store/installing ]]; then
        set -m
        make_system_part &
        system=$!
        set +m
        wait "$system" || give_up_on_packages
        system=
        rm -f "$store/installing" "$store/installed"
    fi
    if [[ $python ]]; then
        local status=0
        wait "$python" || status=$?
        ((status != 3)) || exit 3 # it has said why
        ((status == 0)) ||
            fail "Is the network there, does pip reach its index, is the disk full? When that is mended, run this again."
        locate_environment "$purpose" # its inputs include python3, which may be new
    fi
    step mininet "importing Mininet" try_mininet || fail "Where that does not help, the log above is worth an issue:" \
        "apt-get install --reinstall mininet"
}

give_up_on_packages() {
    stop_python_part
    fail "Is the network there? Do 'apt-get update' and 'apt-get install ${packages[*]}' work? Then run this again."
}

locate_environment "$purpose"
if ! environment_is_ready && wait_for_root; then
    locate_environment "$purpose"
fi
if ! environment_is_ready; then
    find_packages
    ((${#packages[@]} == 0)) || refuse_packages
    ((EUID == 0)) || [[ ! -e $everybodys/installing ]] ||
        fail "the installation of lastport on this machine was interrupted. Root goes on with it: $(as_root)."
    ((EUID == 0)) || [[ $purpose == test ]] || refuse_who_cannot
    take_turn "$@"
    locate_environment "$purpose" # as it is now that it is our turn
fi
if environment_is_ready; then
    say "ready, nothing to do: $environment"
    exit
fi
find_packages
new_packages=() system_download=0 system_disk=0
if ((${#packages[@]})); then
    refuse_packages
    quicken_apt
    plan_packages
fi
tell_costs
python='' system=''
if ((${#packages[@]})); then
    note_packages
    : >"$store/installing"
fi
trap interrupted INT TERM HUP
start_painter
provide_all
stop_painter
find_missing_packages
[[ -z $missing_packages ]] ||
    fail "installed, but what they bring is still not found: $missing_packages." \
        "Install them again ('apt-get install --reinstall $missing_packages'), then run this again."
remove_old_environments
say "ready after $SECONDS s: $environment"
