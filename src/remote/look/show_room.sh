# The room on the disk of this directory and in memory, for observe.sh. Only reads.
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

# show_zstd: prints `zstd`, and `patch_kb N` where it unpacks patches: it then has the old and the new file in memory.
show_zstd() {
    echo zstd
    case $(zstd -H 2>&1 </dev/null) in
    *--patch-from*) sed -n 's/^MemAvailable: *\([0-9]*\) kB$/patch_kb \1/p' /proc/meminfo 2>/dev/null || : ;;
    esac
}
