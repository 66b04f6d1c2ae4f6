#!/bin/sh
# Creates Temporal's two databases and brings their schemas to the version of
# these tools. What exists is left as it is, so that it may run at each start.
set -eu

SQL_PASSWORD="$(cat /run/secrets/postgres)"
export SQL_PASSWORD SQL_PLUGIN=postgres12 SQL_HOST=postgres SQL_PORT=5432 SQL_USER=temporal

for pair in temporal:temporal temporal_visibility:visibility; do
	database="${pair%%:*}"
	temporal-sql-tool --db "$database" create
	temporal-sql-tool --db "$database" setup-schema --version 0.0
	temporal-sql-tool --db "$database" update-schema --schema-name "postgresql/v12/${pair##*:}"
done
