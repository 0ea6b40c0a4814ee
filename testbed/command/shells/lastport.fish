# Completion of lastport in fish: ./lastport completion fish | source
function __lastport_complete
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    set -l found (env _LASTPORT_COMPLETE=(commandline -cp | string collect) $program 2>/dev/null </dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command lastport --no-files --arguments '(__lastport_complete)'
