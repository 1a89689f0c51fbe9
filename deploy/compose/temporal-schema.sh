#!/bin/sh
# Brings Temporal's two databases to the schema of this release of the admin tools. Again is harmless.
set -eu

SQL_PASSWORD=$(cat /run/secrets/temporal_password)
export SQL_PASSWORD
for part in temporal visibility; do
    case $part in
        temporal) SQL_DATABASE=temporal ;;
        visibility) SQL_DATABASE=temporal_visibility ;;
    esac
    export SQL_DATABASE
    temporal-sql-tool setup-schema --version 0.0
    temporal-sql-tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$part/versioned"
done
