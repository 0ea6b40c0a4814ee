# shellcheck shell=sh disable=SC2154
# What ./lastport answers without an environment, from help.txt, which docs/generate.py makes from the command line.
# POSIX sh, sourced by ./lastport.

# Prints one section of help.txt.
section() {
    awk -v heading="== $1 ==" '/^== .* ==$/ { wanted = $0 == heading; next } wanted' "$checkout/vagrant/help.txt" |
        fold -s -w "${COLUMNS:-80}"
}

# Prints a section about a word that is wrong, with the word in it.
complain() {
    text=$(section "$1")
    printf '%s%s%s\n' "${text%%@@*}" "$2" "${text#*@@}" >&2
    exit 2
}

# Answers a command line and ends, or returns where the command needs an environment.
answer() {
    case ${1-} in
        '') section lastport >&2 && exit 2 ;;
        -h | --help) section lastport && exit ;;
        -*) complain "unknown option" "$1" ;;
    esac
    case $1 in
        lastport | *' '*) complain "unknown command" "$1" ;; # these sections are about no command
    esac
    grep -qxF "== $1 ==" "$checkout/vagrant/help.txt" || complain "unknown command" "$1"
    command=$1
    shift
    for argument in "$@"; do
        case $argument in
            --) break ;;
            -h | --help) section "$command" && exit ;;
        esac
    done
    [ "$command" != doctor ] || [ "$system" != Linux ] || exec bash "$checkout/vagrant/doctor.sh" "$@"
}
