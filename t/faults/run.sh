#!/bin/bash
# run.sh [--long]: the programs of this folder, which break what a gateway stands on. ./dev faults calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=$PWD/build/nginx-bookworm
nginx=$folder/pools/nginx
library=$PWD/build/faults/allocations.so
log=$PWD/build/log/faults.log
every=9

case ${1-} in
  '') ;;
  --long) every=1 ;;
  *) echo 'faults takes --long' >&2; exit 1 ;;
esac

# nginx as Debian has it, but for its pools: each piece of them is an allocation of its own.
build_nginx() (
  local source_tree
  [ ! -x "$nginx" ] || exit 0
  mkdir -p "$folder/source" "$folder/pools"
  source_tree=$(t/nginx/fetch.sh bookworm "$folder/source")
  cd "$source_tree"
  # shellcheck source=/dev/null
  . /usr/share/nginx/src/conf_flags
  ./configure "${NGX_CONF_FLAGS[@]}" --with-http_addition_module --with-cc-opt='-g -O1 -DNGX_DEBUG_PALLOC=1' \
    --with-ld-opt=-Wl,-E --builddir="$folder/pools"
  make -f "$folder/pools/Makefile" -j "$(nproc)" binary
)

build_library() {
  mkdir -p "$(dirname "$library")"
  cc -shared -fPIC -g -O1 -Wall -Wextra -Werror -o "$library" t/faults/allocations.c
}

(build_nginx && build_library) > "$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }

export NGINX_BINARY=$nginx PHANTOM_TOKEN_ALLOCATIONS_LIBRARY=$library

# As many parts at the same time as there are processors: a request that hangs is waited for. What each says comes in
# one piece, at its end.
part() {
  local said status=0
  said=$(perl -It/lib t/faults/allocations.pl --every "$every" --part "$1/$parts" 2>&1) || status=1
  printf '%s\n' "$said"
  return "$status"
}

parts=$(nproc) status=0 running=()
for ((n = 1; n <= parts; n++)); do
  part "$n" &
  running+=("$!")
done
for process in "${running[@]}"; do wait "$process" || status=1; done
exit "$status"
