"""Brings the database to what this version of the shop needs. Can be run again at any time."""

from shop import connect

with connect() as connection, connection.cursor() as cursor:
    cursor.execute(
        "create table if not exists orders ("
        " id bigserial primary key, item text not null, at timestamptz not null default now())"
    )
print("migrated")
