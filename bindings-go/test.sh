#!/bin/sh
# Every test of the C ABI and the Go module, on the released archive and header. `test.sh quick`
# leaves out cgocheck2, for which Go's standard library is compiled anew.
set -eu
cd "$(dirname "$0")"
here=$PWD
archive=$here/libstrongroom_linux_amd64.a
cc=${CC:-cc}
work=$(mktemp -d)
# Go writes its module cache read-only.
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
export GOTOOLCHAIN=local GOWORK=off

say() { printf '== %s\n' "$*"; }
fail() {
  printf 'FAULT: %s\n' "$*" >&2
  exit 1
}
# Says yes if the command fails with that text in what it prints.
refused() {
  text=$1
  shift
  if "$@" >"$work/refused" 2>&1; then return 1; fi
  grep -q -e "$text" "$work/refused" || { cat "$work/refused" >&2 && return 1; }
}
compile() { # output, source, flags
  output=$1 source=$2
  shift 2
  $cc -O2 -Wall -Wextra -Wpedantic -Werror "$@" -I "$here" -o "$output" "$source" "$archive" -lpthread -ldl -lm
}

say 'C: the header compiles alone, as C99 and as C++'
echo '#include "strongroom.h"' >"$work/header.c"
$cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$here" -fsyntax-only "$work/header.c"
$cc -x c++ -std=c++11 -Wall -Wextra -Werror -I "$here" -fsyntax-only "$work/header.c"

say 'C: the example runs'
compile "$work/example" c-example/example.c -std=c99
"$work/example"

say 'C: the header of another release does not link'
sed 's/strongroom_link_[0-9_]*/strongroom_link_9_9_9/' strongroom.h >"$work/strongroom.h"
sed 's/strongroom_link_[0-9_]*/strongroom_link_9_9_9/' c-example/example.c >"$work/other.c"
refused 'strongroom_link_9_9_9' $cc -I "$work" -o "$work/other" "$work/other.c" "$archive" -lpthread -ldl -lm ||
  fail 'an archive of another release was linked'

say 'C: no DEK in memory after free'
compile "$work/scan" c-test/memory_scan.c -std=c11
"$work/scan"

say 'Go: formatting and vet'
[ -z "$(gofmt -l .)" ] || fail "not formatted: $(gofmt -l .)"
go vet ./...

say 'Go: tests; with the race detector; with a collection at every chance'
go test -count=1 ./...
go test -count=1 -race ./...
GODEBUG=cgocheck=1 GOGC=1 go test -count=1 .
if [ "${1:-}" != quick ]; then
  say 'Go: tests with cgocheck2'
  GOEXPERIMENT=cgocheck2 go test -count=1 .
fi

say 'Go: the packed module in an empty folder, through a module proxy'
version=$(sh pack.sh "$work/proxy")
mkdir "$work/app"
cp testdata/consumer/main.go "$work/app/"
cd "$work/app"
export GOPROXY="file://$work/proxy" GONOSUMDB='*' GONOSUMCHECK=1 GOFLAGS=-mod=mod GOMODCACHE="$work/modcache" GOSUMDB=off
go mod init example.com/app 2>"$work/log"
go get "strongroom.dev/go@$version" 2>>"$work/log" || fail "go get: $(cat "$work/log")"
go run . || fail 'the packed module does not work'
[ "$(go list -m all | wc -l)" -eq 2 ] || fail "the library needs other modules: $(go list -m all)"

say 'Go: after go mod vendor'
go mod vendor
GOFLAGS=-mod=vendor GOPROXY=off go run . || fail 'the vendored module does not work'

say 'Go: without cgo it compiles, and says what to do'
CGO_ENABLED=0 GOFLAGS=-mod=vendor go vet ./vendor/strongroom.dev/go . || fail 'it does not compile without cgo'
CGO_ENABLED=0 GOFLAGS=-mod=vendor refused 'CGO_ENABLED=1' go run . || fail 'no clear word without cgo'

say 'Go: no test entry in what is packed'
unpacked=$work/modcache/strongroom.dev/go@$version
if ls "$unpacked" | grep -i hazmat || grep -il 'strongroom_hazmat' -r "$unpacked"; then
  fail 'a test entry is packed'
fi
say done
