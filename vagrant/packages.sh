# shellcheck shell=bash disable=SC2034,SC2154
# The distribution's packages: which are needed, what they cost, and their installation. Bash, sourced by provision.sh.
#
# It starts, stops and configures no service: a lab has an Open vSwitch of its own, and the distribution's is left as the
# package's installation leaves it.

quick=
export APT_CONFIG="${APT_CONFIG-$checkout/vagrant/apt.conf}"

# The names of the packages that came with us, for uninstall: apart from the folder that uninstall removes.
came_with_us=$everybodys-packages

# Sets $packages: what is missing to make an environment (some of which is not needed to use it), and $pip: the file or
# folder that has it, empty where Python itself finds it.
find_packages() {
    find_missing_packages
    read -ra packages <<<"$missing_packages"
    find_pip || packages+=(python3-pip-whl)
    has_certificates || packages+=(ca-certificates)
}

has_certificates() {
    [[ -e /etc/ssl/certs/ca-certificates.crt || -d /etc/pki ]]
}

find_pip() {
    for pip in /usr/share/python-wheels/pip-*.whl /usr/lib*/python3*/ensurepip/_bundled/pip-*.whl; do
        [[ ! -f $pip ]] || return 0
    done
    pip=
    /usr/bin/python3 -m pip --version &>/dev/null
}

# Makes apt quicker, which is asked three times: what it makes of its lists is kept until the installation ends, and debconf
# does not look through all packages for questions, which it would not ask.
quicken_apt() {
    quick=$store/apt.conf
    {
        echo "Dir::Cache::srcpkgcache \"$store/lists.bin\";"
        echo '#clear DPkg::Pre-Install-Pkgs;'
        apt-config dump DPkg::Pre-Install-Pkgs | sed '1d; /dpkg-preconfigure/d'
    } >"$quick"
}

forget_quick_apt() {
    rm -f "$store/apt.conf" "$store/lists.bin"
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
        apt-get -q ${quick:+-c "$quick"} -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
        -o APT::Keep-Downloaded-Packages=false \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" 5>&- 6>&- 9>&-
}

# Without lock and painter (apt_get closes both), which a daemon that a package starts would keep for ever.
install_options=(--no-install-recommends --no-remove --fix-broken)

# Sets what apt would do for $packages: $new_packages, and the kilobytes $system_download and $system_disk. The lists of
# packages are read anew only where they lack one.
plan_packages() {
    local plan=
    if ! plan=$(ask_apt); then
        say "reading the distribution's lists of packages"
        step lists "apt-get update" apt_get update || true # a source that is not there may not matter
        plan=$(ask_apt) || {
            printf '%s\n' "$plan" | tail -n 6 | sed 's/^/    /' >&2
            fail "apt-get cannot install ${packages[*]}." \
                "Is the network there, does 'apt-get update' work? When that is mended, run this again."
        }
    fi
    read_plan "$plan"
}

# Reads what apt answered.
read_plan() {
    local plan=$1
    # shellcheck disable=SC2207
    new_packages=($(awk '/^The following NEW packages/ { on = 1; next } /^[^ ]/ { on = 0 } on' <<<"$plan"))
    system_download=0 system_disk=0
    if [[ $plan =~ Need\ to\ get\ ([0-9.,]+\ [kMG]?B) ]]; then
        read_size "${BASH_REMATCH[1]//,/}" && system_download=$kilobytes
    fi
    if [[ $plan =~ operation,\ ([0-9.,]+\ [kMG]?B)\ of\ additional ]]; then
        read_size "${BASH_REMATCH[1]//,/}"
        system_disk=$((kilobytes * 6 / 5)) # with whole blocks, and the bytecode that its Python packages write
    fi
}

ask_apt() {
    local plan
    plan=$(apt_get --assume-no -o Debug::NoLocking=1 "${install_options[@]}" install "${packages[@]}" 2>&1 </dev/null) || true
    printf '%s\n' "$plan"
    [[ $plan == *" newly installed"* ]]
}

# Of coturn only programs are wanted, but it brings a service: a TURN server open to everyone, started at once and at
# each boot. While this preset stands (systemd.preset(5)), a service of that name is installed disabled.
preset=/run/systemd/system-preset/00-lastport.preset

# What apt is asked for again if it fails: on a machine that just started, the daily update may hold apt's lists, and a
# list that is old names packages that are no longer there. An installation that was interrupted leaves packages that
# have to be configured first, and the file `installing`.
install_packages() {
    local pause
    trap 'exit 130' INT # when the program in front has ended
    exec 8>&1
    configure_pending
    if brings_coturn; then
        trap 'rm -f "$preset"; rmdir -p --ignore-fail-on-non-empty "${preset%/*}"' EXIT # of the subshell of `step`
        mkdir -p "${preset%/*}" && echo 'disable coturn.service' >"$preset"
    fi
    for pause in 5 20 0; do
        if install_first && follow_apt "$@"; then
            ! brings_coturn || disable_coturn || true
            return 0
        fi
        sleep "$pause"
        configure_pending
        apt_get update 8>&-
    done
    return 1
}

# Installs what the Python part waits for, which then goes on beside the rest.
install_first() {
    local package first=()
    for package in "${new_packages[@]}"; do
        case $package in libpython3*-stdlib | python3-minimal | python3-pip-whl | ca-certificates) first+=("$package") ;; esac
    done
    ((${#first[@]} == 0)) || follow_apt --mark-auto "${first[@]}"
}

most() {
    echo $(($1 > $2 ? $1 : $2))
}

configure_pending() {
    echo dpkg >"$store/installing"
    dpkg --configure --pending 5>&- 6>&- 8>&- 9>&- || true
    : >"$store/installing"
}

brings_coturn() {
    [[ " ${new_packages[*]} " == *" coturn "* ]]
}

# Installs packages, and shows each one that is installed, of all that are to come. Of what is here, Ctrl-C is for apt alone:
# it ends while it downloads, and later when dpkg has finished what it has begun.
follow_apt() {
    local kind package percent action status files=0 of=0 file
    {
        trap : INT
        apt_get -y -o APT::Status-Fd=7 "${install_options[@]}" install "$@" 7>&1 >&8 2>&1 8>&-
        echo "end:$?" # not the end of the pipe, which a daemon may hold open
    } | {
        trap '' INT
        while IFS=: read -r kind package percent action; do
            case $kind:$action in
                end:*) status=$package && break ;;
                pmstatus:*) echo dpkg >"$store/installing" ;;&
                dlstatus:*)
                    [[ $action =~ file\ ([0-9]+)\ of\ ([0-9]+) ]] || continue
                    ((of == BASH_REMATCH[2])) || files=$((files + of)) of=${BASH_REMATCH[2]} # apt may fetch in batches
                    file=$((files + BASH_REMATCH[1]))
                    show system moment "downloading $(size "$system_download") of packages: file $file of $(most "${#new_packages[@]}" $((files + of)))"
                    ;;
                pmstatus:Installed*)
                    echo "$package" >>"$store/installed"
                    show system item "package $(wc -l <"$store/installed") of ${#new_packages[@]}: $package"
                    ;;
            esac
        done
        exit "${status:-1}"
    }
}

# Where there is no systemctl, nobody reads the preset, and the package has enabled its service.
disable_coturn() {
    ! command -v systemctl >/dev/null || return 0
    [[ -e /usr/sbin/turnserver || -e /usr/bin/turnserver ]] || return 0
    DPKG_MAINTSCRIPT_PACKAGE=coturn deb-systemd-helper disable coturn.service
    update-rc.d coturn disable
}

# Notes which packages come with us before they do, as an interrupted installation leaves some of them.
note_packages() {
    printf '%s\n' "${new_packages[@]}" | sort -u - <(cat "$came_with_us" 2>/dev/null) >"$came_with_us.new"
    mv "$came_with_us.new" "$came_with_us"
}

# Refuses where $packages cannot be installed by this user or on this system.
refuse_packages() {
    command -v apt-get >/dev/null ||
        fail "this machine lacks programs that Debian has in: ${packages[*]}." \
            "Install them by this system's own means and run this again, or use the virtual machine: vagrant up"
    ((EUID == 0)) ||
        fail "not installed on this machine: ${packages[*]}." \
            "Root installs it, once for everybody: $(as_root)." \
            "(Or use the virtual machine: vagrant up)"
}
