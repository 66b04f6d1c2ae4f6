#!/bin/sh
# Runs a Temporal server, which takes the database's password from its environment
# only, with the password in the file POSTGRES_PASSWORD_FILE. The arguments are the
# server's own start command.
set -eu

POSTGRES_PWD="$(cat "$POSTGRES_PASSWORD_FILE")"
export POSTGRES_PWD
exec "$@"
