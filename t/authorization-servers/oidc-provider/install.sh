#!/bin/bash
# install.sh: puts oidc-provider into build/authorization-servers/oidc-provider, once for all who start it, and prints
# that folder. Installs again when package-lock.json has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$here/../../.." && pwd)/build/authorization-servers/oidc-provider

missing=()
for tool in node npm curl; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "oidc-provider needs ${missing[*]}: apt-get install --no-install-recommends nodejs npm curl ca-certificates" >&2
  exit 1
fi

# Files of root's that another user cannot replace will do as they are.
installed() { cmp -s "$here/package-lock.json" "$folder/installed.json" && cmp -s "$here/as.mjs" "$folder/as.mjs"; }

if ! installed; then
  mkdir -p "$folder"
  exec 9> "$folder/lock"
  flock 9 # tests run at the same time
  if ! cmp -s "$here/package-lock.json" "$folder/installed.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$folder/"
    (cd "$folder" && npm ci --no-audit --no-fund 9>&- >&2) ||
      { echo "npm ci failed in $folder: is the npm registry in reach?" >&2; exit 1; }
    cp "$here/package-lock.json" "$folder/installed.json"
  fi
  # Node looks for modules beside the file that imports them. Another test may be reading the old one.
  cp "$here/as.mjs" "$folder/as.mjs.new"
  mv "$folder/as.mjs.new" "$folder/as.mjs"
fi
echo "$folder"
