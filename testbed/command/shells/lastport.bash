# Completion of lastport in bash: eval "$(./lastport completion bash)"
_lastport_completion() {
    local line=${COMP_LINE:0:COMP_POINT} word kept
    mapfile -t COMPREPLY < <(_LASTPORT_COMPLETE=$line "${1/#~\//$HOME/}" 2>/dev/null </dev/null | cut -f 1)
    # Readline replaces only what comes after the last of its own breaks in a word, such as = and :
    word=${line##*[[:space:]]}
    kept=${word%"${word##*[$COMP_WORDBREAKS]}"}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    [[ ${COMPREPLY[0]-} != *[=/] ]] || compopt -o nospace 2>/dev/null
}
complete -o default -F _lastport_completion lastport
