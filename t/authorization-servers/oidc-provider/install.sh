#!/bin/bash
# install.sh: puts oidc-provider and the server written on it into build/authorization-servers/oidc-provider, once for all
# who start it, and prints that folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
folder=$root/build/authorization-servers/oidc-provider

command -v curl > /dev/null ||
  { echo 'oidc-provider needs curl: apt-get install --no-install-recommends curl' >&2; exit 1; }
"$root/t/npm-install.sh" "$here" "$folder"
echo "$folder"
