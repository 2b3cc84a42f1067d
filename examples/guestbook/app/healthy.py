"""Healthcheck: the application answers and reaches its store."""
import urllib.request

urllib.request.urlopen("http://127.0.0.1:8000/healthy", timeout=2).read()
