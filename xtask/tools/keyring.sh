#!/bin/sh
# Runs a command on a session bus with an unlocked gnome-keyring of its own; both are gone
# afterwards: sh xtask/tools/keyring.sh COMMAND...
set -eu
work=$(mktemp -d)
# Before the bus starts: it hands them to a daemon that it starts itself.
XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
export XDG_DATA_HOME XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR"
trap 'rm -rf "$work"' EXIT
dbus-run-session -- sh -euc '
  printf strongroom | gnome-keyring-daemon --unlock --components=secrets >"$0"
  exec "$@"' "$work/log" "$@"
