#!/bin/bash
# sanitize.sh [--long]: the tests on nginx and the module built with AddressSanitizer, LeakSanitizer,
# UndefinedBehaviorSanitizer and NGX_DEBUG_PALLOC: the unit tests, then the files below; with --long every file of t/, and
# every file once more under valgrind, with Debian's own nginx.
#
# A report fails the test in whose time it was written: Harness::ErrorLog. The workers' leaks are looked for when they
# exit, the master's at the end of each file; t/operation.t has 20 reloads under load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$PWD/build/nginx-bookworm
files=(t/attacks.t t/bearer.t t/cache.t t/coalescing.t t/credentials.t t/exchange.t t/forward.t t/hot-cache.t
  t/dpop-attacks.t t/http.t t/inside-nginx.t t/mutual-tls.t t/operation.t t/revocation.t t/revocation-events.t
  t/signatures.t)
[ "${1-}" != --long ] || files=(t)

# The workers run as another user, who cannot read this file where the checkout lies in a folder of root's alone.
suppressions=$(mktemp)
trap 'rm -f "$suppressions"' EXIT
install -m 644 t/nginx/leaks.txt "$suppressions"

with_sanitizers() (
  # A test puts a library of its own before all others.
  export ASAN_OPTIONS="log_path=$1:verify_asan_link_order=0:fast_unwind_on_malloc=0:detect_stack_use_after_return=1"
  export UBSAN_OPTIONS="log_path=$1:print_stacktrace=1" LSAN_OPTIONS="suppressions=$suppressions:print_suppressions=0"
  "${@:2}"
)

# The unit tests' own reports end up on standard error, and in their status.
unit_tests() { UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$build/sanitize/oauth_test" --gtest_brief=1; }

server_tests() {
  NGINX_BINARY=$build/sanitized/nginx PHANTOM_TOKEN_MODULE=$build/sanitize/ngx_http_phantom_token_module.so \
    with_sanitizers '%%DIR%%/sanitizer/report' prove --timer -j "$(nproc)" -I t/lib -r "$@" < /dev/null
}

under_valgrind() {
  PHANTOM_TOKEN_WRAPPER='valgrind --log-file=%%DIR%%/valgrind.%p' prove --timer -j "$(nproc)" -I t/lib -r t < /dev/null
}

unit_tests
server_tests "${files[@]}"
[ "${1-}" != --long ] || under_valgrind
