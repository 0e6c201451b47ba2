#!/usr/bin/env bash
# registry.sh: prints the directory of a package registry for hosts without the internet: npm/ and simple/ (for pip), as
# files that any web server can serve on port 8118 of the host itself, and npm.tgz, npm. Fetched once for each list.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=SCRIPTDIR/../lib.sh
. "$here/../lib.sh"

target=$(realpath "$here/../..")/target
key=$(cat "$here"/registry.{sh,npm,pip} | sha256sum | cut -c1-16)
made=$target/registry-$key
if [ ! -d "$made" ]; then
  command -v npm >/dev/null || die "no npm here"
  say "fetching the packages of the apps, once"
  rm -rf "$target"/registry-*
  new=$made.new
  mkdir -p "$new/npm/-" "$new/wheels" "$new/simple"
  # shellcheck disable=SC2046 # names with versions, none has a space
  npm pack --silent --pack-destination "$new/npm/-" $(sed '/^#/d' "$here/registry.npm") >/dev/null
  npm pack --silent --pack-destination "$new" npm@10.9.0 >/dev/null
  mv "$new"/npm-*.tgz "$new/npm.tgz"
  python3 -m venv "$new/venv"
  # For the python3 of the hosts, which is Debian 12's.
  "$new/venv/bin/pip" --quiet --disable-pip-version-check download --no-deps --only-binary=:all: --python-version 3.11 \
    --dest "$new/wheels" --requirement "$here/registry.pip"
  rm -rf "$new/venv"
  python3 - "$new" <<'END'
import base64, hashlib, json, pathlib, re, sys, tarfile

made = pathlib.Path(sys.argv[1])
packages = {}
for path in sorted((made / "npm/-").iterdir()):
    with tarfile.open(path) as tar:
        manifest = next(m for m in tar.getmembers() if re.fullmatch(r"[^/]+/package\.json", m.name))
        version = json.load(tar.extractfile(manifest))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    version["dist"] = {"tarball": f"http://127.0.0.1:8118/npm/-/{path.name}", "integrity": f"sha512-{digest}"}
    package = packages.setdefault(version["name"], {"name": version["name"], "dist-tags": {}, "versions": {}})
    package["versions"][version["version"]] = version
    package["dist-tags"]["latest"] = version["version"]
for name, package in packages.items():
    (made / "npm" / name).write_text(json.dumps(package))
for path in sorted((made / "wheels").iterdir()):
    name = re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower()
    (made / "simple" / name).mkdir(exist_ok=True)
    path.rename(made / "simple" / name / path.name)
END
  rmdir "$new/wheels"
  mv -T "$new" "$made"
fi
printf '%s\n' "$made"
