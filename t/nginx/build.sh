#!/bin/bash
# build.sh RELEASE KIND...: nginx from the source package of a Debian release, and the module for it:
#
#   build/nginx-RELEASE/plain/nginx
#   build/nginx-RELEASE/gcc      a CMake build: the module by gcc
#   build/nginx-RELEASE/clang    by clang
#   build/nginx-RELEASE/sanitize nginx and the module with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer;
#                                NGX_DEBUG_PALLOC makes each piece of a pool its own, so that an overrun shows
#
# KIND is gcc, clang or sanitize. A warning is an error in all of them.
set -euo pipefail
release=$1
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$repository/build/nginx-$release
jobs=$(nproc)

sanitizers=address,undefined
sanitized="-fsanitize=$sanitizers -fno-omit-frame-pointer -g -O1"
# nginx itself reads words at any address where the processor can, copies nothing from nowhere (memcpy of no bytes at a
# null pointer), and shifts bytes above 127 into the sign (ngx_murmur_hash2). The module is not excused from any.
sanitized+=' -fno-sanitize=alignment,nonnull-attribute,shift'

# What the tests and the configurations shown use, and what Debian's nginx has too.
modules=(--with-compat --with-debug --with-threads --with-pcre-jit --with-http_ssl_module --with-http_v2_module
  --with-http_realip_module --with-http_addition_module --with-http_sub_module --with-http_gunzip_module
  --with-http_slice_module --with-http_auth_request_module --with-http_stub_status_module)

# The module's own configure asks the source tree for its options, as it asks Debian's nginx-dev.
prepare_source() {
  source_tree=$("$repository/t/nginx/fetch.sh" "$release" "$folder/source")
  if [ -d "$source_tree/src/http/v3" ]; then modules+=(--with-http_v3_module); fi
  printf 'NGX_CONF_FLAGS=(%s)\n' "${modules[*]}" > "$source_tree/conf_flags"
}

# nginx NAME OPTION...
nginx() {
  local objects=$folder/$1
  mkdir -p "$objects"
  [ ! -x "$objects/nginx" ] || return 0
  cd "$source_tree"
  # configure runs small programs, which leak.
  ASAN_OPTIONS=detect_leaks=0 ./configure "${modules[@]}" --builddir="$objects" "${@:2}"
  make -f "$objects/Makefile" -j "$jobs" binary
}

# module NAME COMPILER C++-COMPILER OPTION...: builds the targets named, or all.
targets=()
module() {
  CC=$2 CXX=$3 cmake -S "$repository" -B "$folder/$1" -DNGINX_SOURCE="$source_tree" "${@:4}"
  cmake --build "$folder/$1" "${targets[@]/#/--target=}" --parallel "$jobs"
}

mkdir -p "$folder/source"
prepare_source
for kind in "${@:2}"; do
  case $kind in
    gcc)
      nginx plain
      module gcc gcc g++ -DBUILD_TESTING=OFF
      ;;
    clang)
      nginx plain
      module clang clang clang++ -DBUILD_TESTING=OFF
      ;;
    sanitize)
      nginx sanitized --with-cc-opt="$sanitized -DNGX_DEBUG_PALLOC=1" --with-ld-opt="$sanitized"
      targets=(ngx_http_phantom_token_module oauth_test) # what t/nginx/sanitize.sh runs
      module sanitize gcc g++ -DCMAKE_BUILD_TYPE=Debug -DPHANTOM_TOKEN_SANITIZERS=$sanitizers
      ;;
    *) echo "no such kind of build: $kind" >&2; exit 1 ;;
  esac
done
