#!/bin/bash
# versions.sh [--long]: the module, by gcc and by clang, with nginx 1.26 of Debian trixie and with Debian 12's own. All of
# it is built, with warnings as errors; clang's unit tests run, and on 1.26 with clang's module the files below. With --long
# every file of t/, and on the other pairs too, gcc with Debian 12's nginx aside: that is ./dev test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
trixie=$PWD/build/nginx-trixie
# What touches nginx most: its phases, filters, headers, caches and subrequests.
files=(t/attacks.t t/bearer.t t/cache.t t/coalescing.t t/endpoints.t t/hot-cache.t t/http.t t/http3.t t/inside-nginx.t
  t/real-dpop.t)
[ "${1-}" != --long ] || files=(t)
clang=$PWD/build/clang

by_clang() {
  CC=clang CXX=clang++ cmake -S . -B "$clang"
  cmake --build "$clang" --parallel "$(nproc)"
}

server_tests() { PHANTOM_TOKEN_MODULE=$1/ngx_http_phantom_token_module.so prove --timer -j "$(nproc)" -I t/lib -r "${files[@]}" < /dev/null; }

case ${1-} in
  --build)
    by_clang
    t/nginx/build.sh trixie gcc clang
    ;;
  '' | --long)
    "$clang/oauth_test" --gtest_brief=1
    NGINX_BINARY=$trixie/plain/nginx server_tests "$trixie/clang"
    if [ "${1-}" = --long ]; then
      NGINX_BINARY=$trixie/plain/nginx server_tests "$trixie/gcc"
      server_tests "$clang"
    fi
    ;;
esac
