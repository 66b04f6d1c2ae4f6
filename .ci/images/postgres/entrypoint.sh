#!/bin/sh
# Starts PostgreSQL as the entry point of the image "postgres" does: the password is
# read as root, and while a database is initialized, a temporary server answers on
# its socket only.
set -eu

: "${POSTGRES_PASSWORD:=$(cat "$POSTGRES_PASSWORD_FILE")}"
export POSTGRES_PASSWORD
if [ "$(id -u)" = 0 ]; then
	chown -R postgres:postgres "$PGDATA"
	exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	echo "$POSTGRES_PASSWORD" >/tmp/password
	initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=trust --auth-host=scram-sha-256 --locale=C.UTF-8
	rm /tmp/password
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
	pg_ctl --wait --options="-c listen_addresses=''" start
	# As long as initialization scripts of a user may take.
	sleep 10
	createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_USER"
	pg_ctl --wait --mode=fast stop
fi
unset POSTGRES_PASSWORD
exec "$@" -c 'listen_addresses=*'
