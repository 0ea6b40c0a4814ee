#!/bin/bash
# `lastport doctor` where there is no environment yet: what this machine has and lacks, what a first run would install,
# what that costs, and who may. It changes nothing. testbed/run/doctor.py is its successor once there is an environment.
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
# shellcheck source=vagrant/costs.sh
. "$checkout/vagrant/costs.sh"

as_json=
for argument in "$@"; do
    case $argument in
        --json | -j) as_json=1 ;;
        *) echo "lastport: doctor has no such option: $argument" >&2 && exit 2 ;;
    esac
done

names=() found=() ok=() required=() advice=()
note() {
    names+=("$1") found+=("$2") ok+=("$3") required+=("$4") advice+=("$5")
}

examine() {
    local program package needed_by required_by_all path words
    note system "Linux $(uname -r), $(nproc) CPUs" true true ""
    while read -r program package needed_by; do
        [[ $needed_by == lab || $needed_by == gateway ]] || continue
        required_by_all=$([[ $needed_by == lab ]] && echo true || echo false)
        if path=$(command -v "$program"); then
            note "$program" "$path" true "$required_by_all" ""
        else
            note "$program" missing false "$required_by_all" "the first run installs $package"
        fi
    done < <(grep -v '^#' "$checkout/vagrant/programs.txt")
    if environment_is_complete; then
        note environment "$environment" true true ""
    else
        note environment missing false true "the first run makes it"
    fi
    if ((EUID == 0)); then
        if words=$(unshare "${namespaces[@]}" true 2>&1); then
            note namespaces allowed true true ""
        else
            note namespaces "${words:-refused}" false true \
                "allow CAP_SYS_ADMIN and CAP_NET_ADMIN: a container needs --privileged"
        fi
    elif words=$(cannot_run_labs); then
        note "namespaces without root" "$words" false true "run it as root (sudo ./lastport ...)"
    else
        note "namespaces without root" allowed true true ""
    fi
}

# Sets $plan to what a first run would install, and what it costs, a sentence each.
plan_installation() {
    plan=()
    new_packages=() system_download=0 system_disk=0
    find_packages
    plan_python
    if ((${#packages[@]})) && ! command -v apt-get >/dev/null; then
        plan+=("It needs programs that Debian has in ${packages[*]}, and this system has no apt-get.")
    elif ((${#packages[@]})); then
        if ask=$(ask_apt); then
            read_plan "$ask"
            plan+=("A first run installs ${#new_packages[@]} packages of the distribution: ${packages[*]}, and what they need.")
        else
            plan+=("A first run installs packages of the distribution: ${packages[*]}, and what they need. How large they are" \
                "is known after: sudo apt-get update")
        fi
    fi
    local who="The first command that needs it installs it, once for everybody."
    if ((EUID != 0)) && { ((${#packages[@]})) || cannot_run_labs >/dev/null; }; then
        store=$everybodys
        who="Root installs it, once for everybody: $(as_root)."
    elif ((EUID != 0)); then
        who="You can: the first command that needs it installs it for you. As root it serves every user."
    fi
    ((python_count == 0)) || plan+=("A first run installs $python_count Python packages in $store.")
    plan+=("That is $(cost)." "$who")
}

# Writes a text as JSON.
quote() {
    local text=${1//\\/\\\\}
    printf '"%s"' "$(tr -d '\000-\037' <<<"${text//\"/\\\"}")"
}

print_json() {
    local separator=""
    printf '{"able": false, "findings": ['
    for each in "${!names[@]}"; do
        printf '%s{"name": %s, "found": %s, "ok": %s, "required": %s, "advice": %s}' "$separator" \
            "$(quote "${names[each]}")" "$(quote "${found[each]}")" "${ok[each]}" "${required[each]}" \
            "$(quote "${advice[each]}")"
        separator=", "
    done
    printf ']}\n'
}

locate_environment run
examine
plan_installation
note installation "$(cost)" false true "${plan[-1]}"
if [[ $as_json ]]; then
    print_json
    exit 3
fi
for each in "${!names[@]}"; do
    [[ ${names[each]} != installation ]] || continue
    printf '%-23s  %-5s  %s\n' "${names[each]}" "$([[ ${ok[each]} == true ]] && echo ok || echo lacks)" \
        "${found[each]}${advice[each]:+; ${advice[each]}}"
done
printf '\nThis machine cannot run a lab yet.\n'
printf '%s\n' "${plan[@]}" | fold -s -w 80
exit 3
