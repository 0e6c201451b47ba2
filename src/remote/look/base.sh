# Prints what a new release can take over from one on the host. First a line `base ID DIGEST`; then, ended by NUL, the
# stamp of each file that is not as it was published (`INODE MTIME SIZE MODE ./PATH`; inode 0: `prepare` changed it), or
# that has another owner or group or capabilities, which a hard link would carry on;
# then an empty line and the manifest, compressed, unless the client knows it. Nothing after the first line if the first
# digest is its own: then nothing is sent. No release, or one without stamps, is no base. Changes nothing.
# args: root id|'' (the live one) digest of the source, digests of the manifests that the client knows…
set -eu
id=$2
whole() {
    echo whole
    exit 0
}
cd "$1/.shipit" 2>/dev/null || whole
# Root reads nothing that another user made.
[ -O . ] || whole
# While another switch is in progress, nothing is sent.
if [ -z "$id" ] && [ -L ../current ] && [ ! -e request ]; then
    id=$(readlink ../current)
    id=${id#releases/}
fi
case $id in '' | .* | */*) whole ;; esac
for part in "releases/$id/stamps" "releases/$id/manifest" "releases/$id/digest"; do [ -f "$part" ] || whole; done
[ -d "../releases/$id" ] && [ ! -L "../releases/$id" ] || whole
digest=$(cat "releases/$id/digest")
shift 2
echo "base $id $digest"
[ "$1" != "$digest" ] || whole
stamps=releases/$id/stamps
# Whoever has setcap has getcap: one package brings both.
PATH=$PATH:/usr/sbin:/sbin
plain() { find . -type f -uid "$(id -u)" -gid "$(id -g)" "$@" -printf '%i %T@ %s %m ./%P\0'; }
(
    cd "../releases/$id"
    if [ -z "$(getcap -r . 2>/dev/null)" ]; then
        plain
    else
        # shellcheck disable=SC2016 # for the inner shell
        plain \( ! -perm /111 -o -exec sh -c '[ -z "$(getcap "$1" 2>/dev/null)" ]' sh {} \; \)
    fi
) | sort -z | comm -z -23 "$stamps" -
echo
case " $* " in *" $digest "*) ;; *) gzip -1 -c <"releases/$id/manifest" ;; esac
echo whole
