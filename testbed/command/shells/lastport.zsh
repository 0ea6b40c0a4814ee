# Completion of lastport in zsh: eval "$(./lastport completion zsh)"
_lastport_completion() {
    local line value meaning found home=
    local -a plain plain_shown open open_shown in_lines
    found=$(_LASTPORT_COMPLETE="${(j: :)words[1,CURRENT-1]} $PREFIX" ${~words[1]} 2>/dev/null </dev/null)
    compset -P '\~/' && home='~/' # which would be quoted
    for line in ${(f)found}; do
        value=${${line%%$'\t'*}#$home} meaning=${line#*$'\t'}
        [[ -z $meaning ]] || in_lines=(-l)
        if [[ $value == *[=/.] ]]; then # no space after it, since it goes on
            open+=($value) open_shown+=("$value${meaning:+  $meaning}")
        else
            plain+=($value) plain_shown+=("$value${meaning:+  $meaning}")
        fi
    done
    if ((${#plain} + ${#open} == 0)); then
        _files
        return
    fi
    ((${#plain} == 0)) || compadd $in_lines -d plain_shown -- $plain
    ((${#open} == 0)) || compadd $in_lines -S '' -d open_shown -- $open
}
(($+functions[compdef])) || { autoload -Uz compinit && compinit; }
compdef _lastport_completion lastport
