#!/bin/bash
# Makes a machine able to run lastport: packages of the distribution where a program is missing, and an environment
# for this checkout (environment.sh says where). Run by Vagrant, by ./lastport on a bare machine, and by CI; run again,
# it does nothing and needs no network. It starts, stops and configures no service: a lab has an Open vSwitch of its
# own, and the distribution's is left as the package's installation leaves it.
#
# Progress goes to standard error. A step that fails shows its last lines, says what to do, and ends with status 3.
set -euo pipefail
umask 022 # root's environment is for every user
export LC_ALL=C.UTF-8

script=$(readlink -f -- "${BASH_SOURCE[0]}")
checkout=${script%/vagrant/*}
# shellcheck source=vagrant/environment.sh
. "$checkout/vagrant/environment.sh"

say() {
    printf 'lastport: %s\n' "$@" >&2
}

fail() {
    say "$@"
    exit 3
}

# Without this, pip, which answers an interrupt by failing, would have it taken for a step that failed.
trap 'fail "interrupted. Run this again to start over."' INT TERM HUP

# Runs a command with its output going to the log only; where it fails, shows its last lines and is false.
try() {
    local what=$1 begin
    shift
    say "$what"
    printf '\n=== %(%F %T)T %s\n' -1 "$what" >>"$log"
    begin=$(stat -c %s "$log")
    ("$@") >>"$log" 2>&1 </dev/null && return
    say "failed: ${what%%:*}. Its last lines (all are in $log):"
    tail -c "+$((begin + 1))" "$log" | tail -n 12 | cut -c 1-200 | sed 's/^/    /' >&2
    return 1
}

# Lets only one provisioning run at a time. The lock belongs to the open file, which pip inherits, so that a pip that
# outlives a killed provisioning is waited for too.
take_turn() {
    if ! mkdir -p "$checkout_folder" || ! exec 9>>"$environments/lock"; then
        fail "$environments cannot be written. Make it writable, or set XDG_DATA_HOME to a folder that is."
    fi
    if ! flock --nonblock 9; then
        say "another provisioning is under way; waiting for its end"
        flock --timeout 1800 9 || fail "it goes on after half an hour. See what holds $environments/lock."
    fi
}

# --- the distribution's packages ---

# Sets $packages: what is missing to make an environment, some of which is not needed to use it.
find_packages() {
    find_missing_packages
    read -ra packages <<<"$missing_packages"
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
    [[ -e /etc/ssl/certs/ca-certificates.crt || -d /etc/pki ]] || packages+=(ca-certificates)
}

# Of coturn only programs are wanted, but it brings a service: a TURN server open to everyone, started at once and at
# each boot. While this preset stands (systemd.preset(5)), a service of that name is installed disabled.
preset=/run/systemd/system-preset/00-lastport.preset

# Twice more where it fails: on a machine that just started, the daily update may hold apt's list of packages. A source
# of packages that cannot be read need not be one that matters, so only the installation decides. One that was
# interrupted leaves packages that have to be configured first, and the note that there are some.
install_packages() {
    local pause options=(
        -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
    )
    export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1
    touch "$checkout_folder/installing"
    trap 'rm -f "$preset"' EXIT # of the subshell that `try` makes
    mkdir -p "${preset%/*}" && echo 'disable coturn.service' >"$preset"
    for pause in 5 20 0; do
        dpkg --configure --pending
        apt-get "${options[@]}" update
        if apt-get "${options[@]}" install --no-install-recommends --no-remove --fix-broken "$@"; then
            rm "$checkout_folder/installing"
            return
        fi
        sleep "$pause"
    done
    return 1
}

provide_packages() {
    local packages
    find_packages
    ((${#packages[@]})) || [[ -e $checkout_folder/installing ]] || return 0
    command -v apt-get >/dev/null ||
        fail "this machine lacks programs that Debian has in: ${packages[*]}." \
            "Install them by this system's own means and run this again, or use the virtual machine: vagrant up"
    ((EUID == 0)) ||
        fail "not installed: ${packages[*]}." \
            "Install them once as root: sudo $(printf %q "$script")   (or use the virtual machine: vagrant up)"
    # Without the lock, which a daemon that a package starts would keep for ever; apt has a lock of its own.
    try "installing packages of the distribution: ${packages[*]}" install_packages "${packages[@]}" 9>&- ||
        fail "Is the network there? Do 'apt-get update' and 'apt-get install ${packages[*]}' work? Then run this again."
    find_packages
    ((${#packages[@]} == 0)) ||
        fail "installed, but what they bring is still not found: ${packages[*]}." \
            "Install them again ('apt-get install --reinstall ${packages[*]}'), then run this again."
}

# --- the environment ---

environment_pip() {
    "$environment/bin/python" -m pip "$@"
}

install_project() {
    cd "$checkout" && environment_pip install --editable '.[test,os-ken]'
}

# Ryu's build needs a setuptools of its own time: pip before 25.3 hands PIP_CONSTRAINT to an isolated build (which the
# oldest make only when told to), later ones PIP_BUILD_CONSTRAINT. Built apart from the installation, so that neither
# limits what is installed; and from the file's own folder, as pip splits these variables at spaces.
build_ryu() {
    cd "$checkout/vagrant" &&
        PIP_CONSTRAINT=build-constraints.txt PIP_BUILD_CONSTRAINT=build-constraints.txt \
            environment_pip wheel --use-pep517 --no-deps --wheel-dir "$environment/wheels" ryu==4.34
}

install_ryu() {
    build_ryu && environment_pip install "$environment"/wheels/ryu-4.34-*.whl && "$environment/bin/python" -c '
import setuptools  # brings distutils to Python 3.12 and later
import eventlet.wsgi
eventlet.wsgi.ALREADY_HANDLED = getattr(eventlet.wsgi, "ALREADY_HANDLED", object())  # gone from eventlet, unused here
import ryu.base.app_manager, ryu.controller.ofp_handler, ryu.ofproto.ofproto_v1_3_parser'
}

check_environment() {
    [[ -f $environment/bin/lastport ]] && OSKEN_HUB_TYPE=eventlet "$environment/bin/python" -c '
import mininet.net, jinja2, pydantic, rich, typer, yaml
import os_ken.base.app_manager, os_ken.ofproto.ofproto_v1_3_parser'
}

# Keeps one environment of before: a run may be using it, and who goes back to its inputs finds it ready.
remove_old_environments() {
    find "$checkout_folder" -mindepth 1 -maxdepth 1 -type d ! -path "$environment" -printf '%T@ %p\0' |
        sort -zrn | tail -zn +2 | cut -zd ' ' -f 2- | xargs -0r rm -rf --
}

make_environment() {
    local framework=ryu
    /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "lastport needs Python 3.11 or later, and /usr/bin/python3 is $(/usr/bin/python3 --version)." \
            "Use Debian 12, Ubuntu 24.04 or later, or the virtual machine: vagrant up"
    export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off

    # --clear: what an interrupted provisioning left is not to be trusted.
    rm -f "$environment/complete"
    try "making a virtual environment: $environment" \
        /usr/bin/python3 -m venv --clear --system-site-packages "$environment" ||
        fail "Is the disk full? When that is mended, run this again."
    use_environment
    try "installing lastport and what it needs from the Python package index" install_project ||
        fail "Is the network there, does pip reach its index, is the disk full? When that is mended, run this again."
    if ! try "building and installing Ryu" install_ryu; then
        framework=os-ken
        environment_pip uninstall --yes ryu >>"$log" 2>&1 || true
        say "GOING ON WITHOUT RYU: the controller will run on os-ken, its maintained fork, installed with the rest." \
            "To try Ryu again: rm -r $(printf %q "$environment"), then run this again."
    fi
    try "checking the environment" check_environment ||
        fail "Remove $environment and run this again; if that does not help, the log above is worth an issue."
    echo "$framework" >"$environment/complete.new"
    mv "$environment/complete.new" "$environment/complete"
    remove_old_environments
}

locate_environment
if ! environment_is_ready; then
    take_turn
    locate_environment # as it is now that it is our turn
fi
if environment_is_ready; then
    say "ready, nothing to do: $environment"
    exit
fi
log=$checkout_folder/provision.log
: >"$log"
say "making this machine ready, once (log: $log)"
provide_packages
locate_environment # its inputs include python3, which may be new
environment_is_ready || make_environment
say "ready after $SECONDS s"
