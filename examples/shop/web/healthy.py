"""Exit code 0 when the application on this container's port answers."""

import urllib.request

urllib.request.urlopen("http://127.0.0.1:8000/healthz", timeout=2)
