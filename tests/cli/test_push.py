"""``xstilts export hub --push`` against a small hub on this machine."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub_server import run_client

PUSH = """
import sys
from pathlib import Path
from xstilts.report import model_card
print(model_card.push(Path(sys.argv[1]), "me/model"))
"""


class Uploads(BaseHTTPRequestHandler):
    """The part of the hub's protocol that uploads of small files use."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        if self.path == "/api/repos/create":
            self.server.created = json.loads(body)
            answer = {"url": f"{self.server.url}/me/model", "name": "me/model", "id": "1"}
        elif "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            answer = {"files": files}
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
            answer = {"commitUrl": f"{self.server.url}/me/model/commit/1", "commitOid": "1" * 40}
        else:
            answer = {}
        self.answer(answer)

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer({"id": "me/model", "sha": "0" * 40, "siblings": []})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def uploads():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Uploads)
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.files, server.asked, server.created = {}, [], None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_folder_is_pushed_to_a_private_repository(uploads, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: other\n---\n# a model\n")
    (folder / "config.json").write_text("{}")
    ran = run_client(
        PUSH, str(folder), endpoint=uploads.url, cache=tmp_path / "cache", HF_TOKEN="hf_test"
    )
    assert ran.returncode == 0, ran.stderr
    assert uploads.created["visibility"] == "private"
    assert uploads.files.keys() == {"README.md", "config.json"}
    assert uploads.files["config.json"] == b"{}"
    assert ran.stdout.strip().endswith("me/model")
