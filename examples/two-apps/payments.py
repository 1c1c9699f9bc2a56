"""A small app that is called: charges a card. It knows nothing of the agent beside it."""
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Connections stay open between requests,
    timeout = 5  # but not for longer than these seconds.
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"ok": True})
        else:
            self.answer(404, {"error": "there is only POST /charge"})

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.answer(200, {"charged": order["cents"], "servedBy": "payments", "pid": os.getpid()})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # Requests under way are finished before the process ends.


server = Server(
    (os.environ.get("LISTEN_HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))), Handler
)
# Accepts nothing new when it is told to end; the agent has sent the callers elsewhere before.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
