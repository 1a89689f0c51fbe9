#!/bin/sh
# What an administrator does once on an empty PostgreSQL: an owner for each of the two products that live here.
# The owner of Groundwork's tables is no superuser; it makes the roles that servers log in as (`groundwork migrate`).
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner_password `cat /run/secrets/owner_password`
\set temporal_password `cat /run/secrets/temporal_password`

CREATE ROLE groundwork_owner LOGIN CREATEROLE PASSWORD :'owner_password';
CREATE DATABASE groundwork OWNER groundwork_owner;

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
-- Nobody but Temporal has business in its databases. Groundwork's own is guarded by rights on its tables, since the
-- roles that use it do not exist yet.
REVOKE CONNECT ON DATABASE temporal, temporal_visibility FROM PUBLIC;
SQL
