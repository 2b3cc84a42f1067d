"""A guestbook: shows the last entries and takes new ones; the entries are in Redis."""
import os
import socket
from datetime import datetime, timezone

import redis
from flask import Flask, redirect, render_template_string, request

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
  input { font: inherit; padding: .4rem .6rem; width: 70%; } button { font: inherit; padding: .4rem 1rem; }
  li { margin: .5rem 0; } small { color: #777; }
</style>
<h1>Guestbook</h1>
<form method="post"><input name="text" maxlength="200" required autofocus placeholder="Say something"> <button>Sign</button></form>
<ul>{% for entry in entries %}<li>{{ entry.text }} <small>{{ entry.time }}</small></li>{% else %}<li>Nobody has signed yet.</li>{% endfor %}</ul>
<small>{{ visits }} visits; answered by container {{ host }}</small>
"""

with open(os.environ["STORE_PASSWORD_FILE"], encoding="utf-8") as file:
    store = redis.Redis(os.environ["STORE_HOST"], password=file.read().strip(), decode_responses=True)

app = Flask(__name__)


@app.get("/")
def show():
    entries = [dict(zip(("time", "text"), line.split(" ", 1))) for line in store.lrange("entries", 0, 19)]
    return render_template_string(PAGE, entries=entries, visits=store.incr("visits"), host=socket.gethostname())


@app.post("/")
def sign():
    text = request.form.get("text", "").strip()[:200]
    if text:
        store.lpush("entries", f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%MZ} {text}")
    return redirect("/")


@app.get("/healthy")
def healthy():
    store.ping()
    return "ok"
