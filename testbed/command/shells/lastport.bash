# Completion of lastport in bash: eval "$(./lastport completion bash)"
_lastport_completion() {
    local line=${COMP_LINE:0:COMP_POINT} kept word
    mapfile -t COMPREPLY < <(_LASTPORT_COMPLETE=$line "${1/#~\//$HOME/}" 2>/dev/null </dev/null | cut -f 1)
    # Readline replaces only $2, which comes after the last of its own breaks in a word, such as = and :
    kept=${line%"$2"}
    kept=${kept##*[[:space:]]}
    kept=${kept//[\"\'\\]/}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    [[ ${COMPREPLY[0]-} != *[=/.] ]] || compopt -o nospace 2>/dev/null
    for word in "${COMPREPLY[@]}"; do
        if [[ $word == *[./]* && -e ${word/#~\//$HOME/} ]] && compopt -o filenames 2>/dev/null; then
            COMPREPLY=("${COMPREPLY[@]%/}") # Readline quotes the names of files, and adds a folder's slash itself
            break
        fi
    done
}
complete -o default -F _lastport_completion lastport
