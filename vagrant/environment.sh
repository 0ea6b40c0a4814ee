# shellcheck shell=sh disable=SC2154
# Where lastport's environment is, and whether it can be used. POSIX sh, sourced by ./lastport, vagrant/provision.sh
# and .ci/run, each with $checkout set to the real path of its checkout. It decides and never changes a file.
#
# An environment is a Python virtual environment outside of the checkout, because a synced folder cannot hold one and
# a checkout may be read-only. Its install is editable, so each checkout has its own:
#
#   /var/lib/lastport/             root's; of any other user: ~/.local/share/lastport/ (or under $XDG_DATA_HOME)
#     lock                         held by whoever is provisioning
#     NAME-PATH/                   one checkout: its folder's name, 8 digits of its path's SHA-256
#       provision.log              what the last provisioning did
#       INPUTS/                    an environment: 12 digits of the SHA-256 of all that decides what is in it
#         bin/ lib/ ...            made by `python3 -m venv`
#         complete                 written last: without it the environment is not used
#         caches/                  what Python tools would otherwise leave in the checkout
#
# Other inputs are another folder. So a changed checkout never meets an old environment, a run in progress keeps the
# one it started with, and going back to the inputs of before costs nothing.

# Each program that a lab needs, and the package of the distribution that brings it.
programs='
/usr/bin/python3:python3
mnexec:mininet
ovsdb-server:openvswitch-switch ovs-vswitchd:openvswitch-switch ovs-vsctl:openvswitch-switch
ip:iproute2 tc:iproute2 ping:iputils-ping ethtool:ethtool tcpdump:tcpdump iperf3:iperf3
nft:nftables conntrack:conntrack
turnserver:coturn turnutils_natdiscovery:coturn
modprobe:kmod sysctl:procps unshare:util-linux'

# Debian keeps ovs-vswitchd, ethtool and others where only root's PATH leads, and there may be no PATH at all.
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    case :${PATH-}: in
        *:"$directory":*) ;;
        *) PATH=${PATH:+$PATH:}$directory ;;
    esac
done
export PATH
unset PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE # the user's settings for other programs

# Sets $missing_packages: those that bring programs which this machine lacks, each once.
find_missing_packages() {
    missing_packages=
    for program in $programs; do
        package=${program#*:}
        command -v "${program%%:*}" >/dev/null || case " $missing_packages " in
            *" $package "*) ;;
            *) missing_packages="${missing_packages:+$missing_packages }$package" ;;
        esac
    done
}

# Sets $environment (which need not exist), $checkout_folder above it, and above that $environments.
locate_environment() {
    folder=${checkout##*/}
    case $folder in *[!A-Za-z0-9._-]*) folder=checkout ;; esac # a name that is safe in a #! line
    digest=$(printf '%s' "$checkout" | sha256sum)
    folder=$folder-${digest%"${digest#????????}"} # the first 8 digits

    # From pyproject.toml only what pip reads: a new lint rule is no reason to install everything again.
    digest=$(
        {
            readlink -f /usr/bin/python3
            awk '/^\[/ { read = /^\[(build-system|project|tool\.hatch)/ } read' "$checkout/pyproject.toml"
            cat "$checkout/vagrant/provision.sh" "$checkout/vagrant/environment.sh" \
                "$checkout/vagrant/build-constraints.txt"
        } | sha256sum
    )
    inputs=${digest%"${digest#????????????}"} # the first 12 digits

    place_environment /var/lib/lastport
    user=$(id -u)
    if [ "$user" != 0 ] && ! environment_is_ready; then # who is not root may use root's, but does not make it
        place_environment \
            "${XDG_DATA_HOME:-${HOME:-$(getent passwd "$user" | cut -d: -f6)}/.local/share}/lastport"
    fi
}

place_environment() {
    environments=$1
    checkout_folder=$environments/$folder
    environment=$checkout_folder/$inputs
}

# Whether the environment is complete, its interpreter is still there, and so are the distribution's programs.
environment_is_ready() {
    [ -f "$environment/complete" ] && [ -x "$environment/bin/python" ] && [ -f "$environment/bin/lastport" ] &&
        find_missing_packages && [ -z "$missing_packages" ]
}

# Makes every Python started from here on use the environment and nothing of the user's, and leave no file in the
# checkout (under sudo it would be root's).
use_environment() {
    caches=$environment/caches
    [ -w "$environment" ] || caches=${XDG_CACHE_HOME:-${HOME:-}/.cache}/lastport/$folder/$inputs
    PYTHONNOUSERSITE=1
    PYTHONPYCACHEPREFIX=$caches/pycache
    HYPOTHESIS_STORAGE_DIRECTORY=$caches/hypothesis
    MYPY_CACHE_DIR=$caches/mypy
    RUFF_CACHE_DIR=$caches/ruff
    export PYTHONNOUSERSITE PYTHONPYCACHEPREFIX HYPOTHESIS_STORAGE_DIRECTORY MYPY_CACHE_DIR RUFF_CACHE_DIR
}
