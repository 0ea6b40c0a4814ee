# shellcheck shell=sh disable=SC2154
# Where lastport's environment is, and how Python uses it. POSIX sh, sourced by ./lastport and by the scripts beside
# this one, each with $checkout set to the real path of its checkout.
#
# An environment is a Python virtual environment with what python-packages/ lists. The checkout itself is not in it, so
# it serves every checkout that lists the same, and root's serves every user:
#
#   /var/lib/lastport/             root's; of any other user: ~/.local/share/lastport/ (or under $XDG_DATA_HOME)
#     lock                         held by whoever is provisioning
#     installing                   there while apt's part is not complete; not empty while dpkg is at work
#     apt.conf, lists.bin          apt's, until its part is complete
#     turn                         with its name in it, and held as well, for other users to wait
#     logs/                        what the last provisioning did
#     wheels/                      Ryu, built once
#     environments/INPUTS/         12 digits of the SHA-256 of all that decides what is in it
#     environments/INPUTS-test-T/  the same, and what tests and linters need
#     environments/INPUTS-cluster-C/ the same as INPUTS, and what work on many machines needs
#       complete                   written last, whatever becomes of apt: without it the environment is not used
#       used                       touched at each start, to find the one that nobody uses any more
#       bytecode/                  of Python's own library and of what is installed
#     caches/NAME-PATH/            one checkout: what Python tools would otherwise leave in it
#       checkout                   its path. When nothing is there any more, the next start removes the folder
#
# An environment never changes once it is complete, and other inputs are another folder. So a changed checkout never
# meets an old environment, a run in progress keeps the one it started with, and going back costs nothing.

everybodys=/var/lib/lastport

# Debian keeps ovs-vswitchd, ethtool and others where only root's PATH leads, and there may be no PATH at all.
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
    case :${PATH-}: in
        *:"$directory":*) ;;
        *) PATH=${PATH:+$PATH:}$directory ;;
    esac
done
export PATH
# The user's settings for other programs are kept for those that `lastport exec` runs.
for variable in PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE; do
    eval "[ -z \"\${$variable+set}\" ] || export _LASTPORT_USERS_$variable=\"\$$variable\""
done
unset PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

# Sets $missing_packages: those that bring programs which this machine lacks for the $purpose, each once.
find_missing_packages() {
    missing_packages=
    while read -r program package needed_by; do
        case $program in '' | '#'*) continue ;; esac
        case $needed_by in
            rare | vm) continue ;;
            outside | test) [ "$purpose" = test ] || continue ;;
            browser) [ "$purpose" = test ] && grep -qs '^ID=debian' /etc/os-release || continue ;;
        esac
        command -v "$program" >/dev/null || case " $missing_packages " in
            *" $package "*) ;;
            *) missing_packages="${missing_packages:+$missing_packages }$package" ;;
        esac
    done <"$checkout/vagrant/programs.txt"
}

# Sets $environment for a purpose, `run`, `test` or `cluster`: one that is complete, else the one to make in the user's own $store.
locate_environment() {
    purpose=${1:-run}
    lists_folder=$checkout/vagrant/python-packages
    digest=$(
        {
            readlink -f /usr/bin/python3
            cat "$checkout/vagrant/make-environment.sh" \
                "$lists_folder/run.txt" "$lists_folder/ryu.txt" "$lists_folder/ryu-build.txt" "$lists_folder/os-ken.txt"
        } | sha256sum
    )
    inputs=${digest%"${digest#????????????}"} # the first 12 digits
    wanted=$inputs
    if [ "$purpose" != run ]; then
        digest=$(sha256sum <"$lists_folder/$purpose.txt")
        wanted=$inputs-$purpose-${digest%"${digest#????????????}"}
    fi
    store=$everybodys
    user=$(id -u)
    if [ "$user" != 0 ]; then
        store=${XDG_DATA_HOME:-${HOME:-$(getent passwd "$user" | cut -d: -f6)}/.local/share}/lastport
    fi
    for place in "$everybodys" "$store"; do
        # An environment for tests has all that running needs.
        for environment in "$place/environments/$wanted" "$place/environments/$inputs"-test-*; do
            if environment_is_complete; then return; fi
            [ "$purpose" = run ] || break
        done
    done
    environment=$store/environments/$wanted
}

environment_is_complete() {
    [ -f "$environment/complete" ] && [ -x "$environment/bin/python" ] # unless the interpreter is gone
}

# Whether the environment is complete, and so are the distribution's programs, of which root's installation may have
# been interrupted.
environment_is_ready() {
    environment_is_complete && [ ! -e "$everybodys/installing" ] && find_missing_packages && [ -z "$missing_packages" ]
}

# Makes every Python started from here on use the environment and this checkout and nothing else of the user's, and
# leave no file in the checkout (under sudo it would be root's). What other checkouts left that are gone is removed.
use_environment() {
    refuse_colon
    caches=
    for record in "$store"/caches/*/checkout; do
        [ -f "$record" ] || continue
        IFS= read -r path <"$record" || continue # it is being written
        if [ "$path" = "$checkout" ]; then
            caches=${record%/checkout}
        elif [ ! -e "$path/lastport" ]; then
            rm -rf -- "${record%/checkout}" 2>/dev/null || : # another start removes it at this moment
        fi
    done
    PYTHONPYCACHEPREFIX=$caches/bytecode/${environment##*/}
    if [ -z "$caches" ] || [ ! -d "$PYTHONPYCACHEPREFIX" ]; then
        make_caches 2>/dev/null || PYTHONPYCACHEPREFIX=$environment/bytecode # a home that cannot be written
    fi
    [ ! -w "$environment" ] || : >"$environment/used"
    PYTHONPATH=$checkout
    PYTHONNOUSERSITE=1
    HYPOTHESIS_STORAGE_DIRECTORY=$caches/hypothesis
    MYPY_CACHE_DIR=$caches/mypy
    RUFF_CACHE_DIR=$caches/ruff
    export PYTHONPATH PYTHONPYCACHEPREFIX PYTHONNOUSERSITE
    export HYPOTHESIS_STORAGE_DIRECTORY MYPY_CACHE_DIR RUFF_CACHE_DIR
}

# Makes the folder for this checkout's caches. Python mirrors each file's path below one folder for all bytecode: links
# lead to the bytecode of the environment, which every checkout shares, so that only the checkout's own is apart.
make_caches() {
    name=${checkout##*/}
    case $name in *[!A-Za-z0-9._-]*) name=checkout ;; esac
    digest=$(printf '%s' "$checkout" | sha256sum)
    caches=$store/caches/$name-${digest%"${digest#????????}"} # the first 8 digits
    PYTHONPYCACHEPREFIX=$caches/bytecode/${environment##*/}
    for old in "$caches"/bytecode/[!n]*; do # not new.*, which other starts are making
        [ -d "${environment%/*}/${old##*/}" ] || rm -rf -- "$old"
    done
    new=$caches/bytecode/new.$$
    mkdir -p "$new/usr" "$new${environment%/*}" &&
        ln -s "$environment/bytecode/usr/lib" "$new/usr/lib" &&
        ln -s "$environment/bytecode$environment" "$new$environment" &&
        printf '%s\n' "$checkout" >"$caches/checkout" &&
        { mv -T "$new" "$PYTHONPYCACHEPREFIX" || rm -rf -- "$new"; } # another start was faster
}

refuse_colon() {
    case $checkout in
        *:*)
            echo "lastport: Python finds no modules in a folder with a colon in its path. Rename it: $checkout" >&2
            exit "${unable:-3}"
            ;;
    esac
}

# Makes the machine ready for a purpose if it is not, for the command that follows, and Python use the environment.
provide_environment() {
    if [ ! -d /proc/self/ns ]; then
        echo "lastport: /proc is not mounted. What to do, as root: mount -t proc proc /proc" >&2
        exit "${unable:-3}"
    fi
    refuse_colon
    locate_environment "$1"
    if ! environment_is_ready; then
        trap : INT # the shell stays until the installation has ended, which Ctrl-C may have to wait for
        bash "$checkout/vagrant/provision.sh" "$@" >&2 || exit "${unable:-3}"
        trap - INT
        locate_environment "$1"
    fi
    use_environment
}
