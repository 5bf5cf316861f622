"""A model server on loopback that fails in a chosen way: python stub_model_server.py PORT FAULT AFTER.

It prints its port, and answers `{"prompt": ...}` with `{"text": ...}`, which depends on the prompt
alone. From its request number AFTER on it has the fault: `killed`, `unavailable`, `limited`,
`hangs_up`, or `none`.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from zlib import crc32

TOO_LONG = "question <5>"
"""With the fault `too_long`, prompts about this question are refused with status 400."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_POST(self):
        prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        fault = FAULT if next(numbers) >= AFTER else "none"
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "hangs_up":
            self.close_connection = True
        elif fault == "too_long" and TOO_LONG in prompt:
            self.reply(400, {"error": "context length exceeded"})
        elif fault in STATUS:
            self.reply(STATUS[fault], {"error": "no"})
        elif "Reply with exactly one of these" in prompt:
            self.reply(200, {"text": str(crc32(prompt.encode()) % 5)})
        else:
            self.reply(200, {"text": f"because of {crc32(prompt.encode())}"})

    def reply(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


STATUS = {"unavailable": 503, "limited": 429}
numbers = count(1)

if __name__ == "__main__":
    PORT, FAULT, AFTER = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
