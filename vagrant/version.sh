#!/bin/sh
# Prints lastport's version and, where it is known, the commit of its checkout: `0.1.0 06dfc21`. `-dirty` after the
# commit means that files differ from it, which only git can find out. Without git the files of .git give the commit;
# a checkout without .git, such as a synced copy, has none. It needs no environment: ./lastport and Python both call it.
set -eu

script=$(readlink -f -- "$0")
checkout=${script%/vagrant/*}
repository=$checkout/.git

# By name, as git would otherwise take the repository around a copy for the copy's own, and refuse another user's.
described_by_git() {
    unset GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
    git --no-optional-locks --git-dir="$repository" --work-tree="$checkout" \
        describe --always --dirty --abbrev=7 --exclude '*' 2>/dev/null
}

read_from_files() {
    [ -d "$repository" ] || read -r _ repository <"$repository" # a worktree: `gitdir: PATH`, which may be relative
    cd "$checkout" && cd "$repository" && read -r head <HEAD
    common=.
    if [ -f commondir ]; then read -r common <commondir; fi
    case $head in
        "ref: "*)
            name=${head#ref: }
            if [ -f "$common/$name" ]; then
                cat "$common/$name"
            else
                awk -v name="$name" '$2 == name { print $1 }' "$common/packed-refs"
            fi
            ;;
        *) echo "$head" ;;
    esac | cut -c 1-7
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$checkout/pyproject.toml")
commit=
if [ -e "$repository" ]; then
    commit=$(described_by_git) || commit=$(read_from_files 2>/dev/null) || commit=
fi
echo "$version${commit:+ $commit}"
