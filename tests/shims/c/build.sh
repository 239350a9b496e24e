#!/bin/sh
# Builds the C shim: build.sh hazmat|release OUTPUT, from anywhere.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
case $1 in
hazmat) test_ops=hazmat.c archive=$root/target/hazmat/c/libstrongroom.a ;;
release) test_ops=release.c archive=$root/bindings-go/libstrongroom_linux_amd64.a ;;
*) echo "usage: build.sh hazmat|release OUTPUT" >&2 && exit 2 ;;
esac
mkdir -p "$(dirname "$2")"
rm -f "$2"
cd "$here"
${CC:-cc} -std=c11 -O2 -Wall -Wextra -Werror -I "$root/bindings-go" -o "$2" \
  main.c json.c values.c answers.c fields.c keys.c "$test_ops" "$archive" -lpthread -ldl -lm
