# The room on the disk of this directory, for observe.sh. Only reads.
# shellcheck shell=dash

# show_room: prints `free_kb N` and `free_inodes N`, or `-` for a file system that has no fixed number of inodes.
show_room() {
    local shown total inodes kb
    shown=$(df -k --output=itotal,iavail,avail . 2>/dev/null) || {
        df -Pk . >/dev/null && echo 'missing GNU df'
        return
    }
    { read -r _ && read -r total inodes kb; } <<END
$shown
END
    [ "$total" != 0 ] || inodes=-
    printf 'free_kb %s\nfree_inodes %s\n' "$kb" "$inodes"
}
