# shellcheck shell=bash disable=SC2154
# Makes the environment $environment for a $purpose from what python-packages/ lists. Bash, sourced by provision.sh.
# This file is one of the environment's inputs: a change here makes another environment.
#
# Wheels only, exact versions, no resolver: an environment with the same inputs has the same contents. Of Ryu there is no
# wheel. It is built once, beside the installation of the rest, and kept.

# Runs the distribution's pip in an environment, which needs none of its own; nothing is cached in anyone's home.
run_pip() {
    local python=$1/bin/python packages=$building/pip
    shift
    [[ -d $packages ]] || packages=
    PYTHONPATH=$packages${no_build:+:$no_build} PYTHONPYCACHEPREFIX=$building/bytecode PYTHONNOUSERSITE=1 \
        PIP_CONSTRAINT=/dev/null \
        PIP_USER=0 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off \
        PIP_ROOT_USER_ACTION=ignore "$python" -m pip "$@"
}

# Waits for what the distribution's installation brings first. Python can be used before it is configured, which for it is
# to compile its library.
wait_for_python() {
    until /usr/bin/python3 -c 'import ssl, venv, zipfile, html.parser, logging.config' 2>/dev/null && find_pip &&
        has_certificates; do
        [[ -e $store/installing ]] || return # all of it is installed
        sleep 0.3
    done
}

make_venv() {
    rm -rf -- "$environment" && # what an interrupted provisioning left is not to be trusted
        /usr/bin/python3 -m venv --without-pip --system-site-packages "$environment" &&
        mkdir -p "$building" "$environment/bytecode/usr/lib" "$environment/bytecode$environment" || return
    [[ -z $pip ]] || /usr/bin/python3 -m zipfile -e "$pip" "$building/pip"
}

# Installs lists of packages, whatever the distribution has of them, and shows each package that comes.
install_lists() {
    local options=() list line
    for list in "$@"; do
        options+=(-r "$checkout/vagrant/python-packages/$list.txt")
    done
    options+=(--require-hashes --no-deps --only-binary :all: --no-compile --ignore-installed)
    run_pip "$environment" install "${options[@]}" 2>&1 | {
        local done=0 kilobytes=0 loaded=0
        while IFS= read -r line; do
            printf '%s\n' "$line"
            case $line in
                *"Downloading "*.whl\ \(*\) | *"Using cached "*.whl\ \(*\) | "Processing "*.whl)
                    done=$((done + 1))
                    line=${line##*Downloading } line=${line##*Using cached } line=${line##*/}
                    read_size "${line##*[(]}"
                    loaded=$((loaded + kilobytes))
                    show python item "Python package $done of $python_count: ${line%%-*} ($(size "$loaded") of $(size "$python_download"))"
                    ;;
                "Installing collected packages"*) show python moment "unpacking $python_count Python packages" ;;
            esac
        done
    }
}

# Ryu's build needs a setuptools of its own time, in an environment of its own. The build executes what was fetched. So
# fetching executes nothing of it and checks its hash, and where root is at work a user without rights builds.
build_ryu() {
    local builder=$building/ryu source=$building/ryu-source no_build=
    /usr/bin/python3 -m venv --without-pip "$builder" &&
        run_pip "$builder" install --require-hashes --no-deps --only-binary :all: --no-compile \
            -r "$checkout/vagrant/python-packages/ryu-build.txt" || return
    no_build=$checkout/vagrant/no-build
    run_pip "$builder" download --require-hashes --no-deps --no-build-isolation --use-pep517 --dest "$source" \
        -r "$checkout/vagrant/python-packages/ryu.txt" &&
        build_wheel "$builder" "$source" &&
        mkdir -p "$store/wheels" && keep_wheel "$source" "$store/wheels"
}

# Keeps the wheel that a build has left in a folder, in another; a link may lead anywhere.
keep_wheel() {
    find "$1" -maxdepth 1 -type f -name 'ryu-*.whl' -exec install -m 644 -t "$2" {} +
}

# Builds the source in a folder, without the network's index and without the user's environment.
build_wheel() {
    local python=$1/bin/python source=$2 nobody=() packages=$building/pip
    [[ -d $packages ]] || packages=
    if ((EUID == 0)); then
        nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)
        chown 65534:65534 "$source" || return
    fi
    (
        cd "$source" &&
            exec "${nobody[@]}" env -i PATH="$PATH" LC_ALL="$LC_ALL" HOME="$source" TMPDIR="$source" \
                PYTHONPATH="$packages" PYTHONDONTWRITEBYTECODE=1 PIP_CONFIG_FILE=/dev/null \
                "$python" -m pip wheel --no-index --no-build-isolation --no-deps --no-cache-dir \
                --disable-pip-version-check --wheel-dir . ryu-*.tar.gz
    )
}

# Sets $ryu to the wheel, which is there once it was built.
find_ryu() {
    ryu=$store/wheels/$(sed -n 's/^\(ryu\)==\([0-9.]*\).*/\1-\2/p' "$checkout/vagrant/python-packages/ryu.txt")-py3-none-any.whl
    [[ -f $ryu ]]
}

# Python starts as ./lastport starts it, so this also leaves bytecode of all that a controller imports.
check_framework() {
    use_environment
    LASTPORT_FRAMEWORK=$1 "$environment/bin/python" -P -W ignore -c 'import controller.openflow.app'
}

install_ryu() {
    local site
    site=$(echo "$environment"/lib/python3*/site-packages)
    /usr/bin/python3 -m zipfile -e "$ryu" "$site" && rm -rf "$site/ryu/tests" && check_framework ryu && return
    rm -rf "$site"/ryu "$site"/ryu-*.dist-info
    return 1
}

# Refuses a Python that is too old, or has no pip.
refuse_python() {
    /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "lastport needs Python 3.11 or later, and /usr/bin/python3 is $(/usr/bin/python3 --version)." \
            "Use Debian 12, Ubuntu 24.04 or later, or the virtual machine: vagrant up"
    find_pip || fail "there is no pip for $(readlink -f /usr/bin/python3). Debian has it in python3-pip-whl."
}

# Makes the Python part, which may go on beside the installation of the distribution's packages.
make_python_part() {
    local lists=(run) build=
    set +m
    wait_for_python
    locate_environment "$purpose" # its inputs include python3, which may be new
    building=$environment/building
    refuse_python
    case $purpose in
        test) lists+=(os-ken test) ;;
        cluster) lists+=(cluster) ;;
    esac
    step venv "making a virtual environment" make_venv || return
    if ! find_ryu; then
        step ryu-build "building Ryu" build_ryu &
        build=$!
    fi
    step python-packages "installing Python packages" install_lists "${lists[@]}" || return
    show python moment "building Ryu"
    framework=ryu
    if ! { [[ -z $build ]] || wait "$build"; } || ! find_ryu || ! step ryu "installing Ryu" install_ryu; then
        framework=os-ken
        say "GOING ON WITHOUT RYU: the controller will run on os-ken, its maintained fork." \
            "To try Ryu again: rm -r $(printf %q "$environment"), then run this again."
        [[ $purpose == test ]] || step os-ken "installing os-ken" install_lists os-ken || return
        step os-ken-import "importing os-ken" check_framework os-ken || return
    fi
    step environment "trying the environment" try_environment ||
        fail "Remove $environment and run this again; if that does not help, the log above is worth an issue."
    rm -rf "$building"
    echo "$framework" >"$environment/complete.new" && mv "$environment/complete.new" "$environment/complete"
    show python item "Python packages: ready, with $framework"
}

try_environment() {
    use_environment
    "$environment/bin/python" -P -c 'import testbed.command.cli'
}

# The distribution's part of what Python imports.
try_mininet() {
    use_environment
    "$environment/bin/python" -P -c 'import mininet.net'
}
