"""The shop: orders go into a table, and can be listed."""

import os
from pathlib import Path

import psycopg2
from flask import Flask, request

ITEM_CHARACTERS_MAX = 200

app = Flask(__name__)


def connect():
    password = Path(os.environ["DB_PASSWORD_FILE"]).read_text().strip()
    return psycopg2.connect(
        host=os.environ["DB_HOST"], dbname="shop", user="shop", password=password, connect_timeout=3
    )


@app.get("/healthz")
def healthz():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("select 1 from orders limit 1")
    return "ok\n"


@app.get("/orders")
def orders():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("select id, item from orders order by id desc limit 50")
        return [{"id": row[0], "item": row[1]} for row in cursor.fetchall()]


@app.post("/orders")
def order():
    item = request.get_data(as_text=True).strip()
    if not 0 < len(item) <= ITEM_CHARACTERS_MAX:
        return f"an order is 1 to {ITEM_CHARACTERS_MAX} characters\n", 400
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("insert into orders (item) values (%s) returning id", (item,))
        return {"id": cursor.fetchone()[0], "item": item}, 201


@app.get("/")
def index():
    return f"The shop has {len(orders())} of its last orders at /orders\n"
