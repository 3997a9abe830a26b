#!/bin/bash
# npm-install.sh FOLDER TARGET: installs the npm packages of FOLDER's package-lock.json into TARGET, once for all who use
# them, and again when package-lock.json has changed. The lock file names no registry: npm asks the one that it is set to.
# FOLDER's *.mjs are copied there, too: Node looks for packages beside the file that imports them.
set -euo pipefail
from=$1 to=$2

missing=()
for tool in node npm; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "${missing[*]} needed: apt-get install --no-install-recommends nodejs npm ca-certificates" >&2
  exit 1
fi

# Files of root's that another user cannot replace will do as they are.
installed() { cmp -s "$from/package-lock.json" "$to/installed.json"; }

if ! installed; then
  mkdir -p "$to"
  exec 9> "$to/lock"
  flock 9 # tests run at the same time
  if ! installed; then
    cp "$from/package.json" "$from/package-lock.json" "$to/"
    (cd "$to" && npm ci --no-audit --no-fund 9>&- >&2) ||
      { echo "npm ci failed in $to: is the npm registry in reach?" >&2; exit 1; }
    cp "$from/package-lock.json" "$to/installed.json"
  fi
fi

# Another test may be reading the old file or writing the new.
for file in "$from"/*.mjs; do
  [ -e "$file" ] || continue
  copy=$to/${file##*/}
  cmp -s "$file" "$copy" || { cp "$file" "$copy.$$" && mv "$copy.$$" "$copy"; }
done
