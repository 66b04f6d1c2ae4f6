#!/bin/sh
# Creates Temporal's two databases and brings their schemas to the version of
# these tools. What exists is left as it is, so that it may run at each start. The
# database is named by the variables of temporal-sql-tool (SQL_HOST, SQL_PORT,
# SQL_USER, SQL_PLUGIN), its password by POSTGRES_PASSWORD_FILE.
set -eu

SQL_PASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
export SQL_PASSWORD

# retry runs temporal-sql-tool until it succeeds, for a minute: the database may be
# starting, or restarting.
retry() {
	tries=30
	until temporal-sql-tool "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || exit 1
		sleep 2
	done
}

for pair in temporal:temporal temporal_visibility:visibility; do
	database="${pair%%:*}"
	retry --db "$database" create
	retry --db "$database" setup-schema --version 0.0
	retry --db "$database" update-schema --schema-name "postgresql/v12/${pair##*:}"
done
