"""A small hub on this machine: the part of the Hugging Face protocol that downloads use.

Serves folders to the real clients (huggingface_hub, datasets, transformers), so that a test of our
loading code goes through all of theirs. The layout of the served folder is

    datasets/ORG/NAME/...    models/ORG/NAME/...

``commit()`` reads it again: a repository whose files changed gets a new head, and its older
commits stay available, as with git. Commit names are hashes of the content, so they are stable.

Clients read ``HF_ENDPOINT`` when they are imported; ``run_client`` runs code in a new interpreter.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("datasets", "models")
API = re.compile(
    r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)/?(.*))?"
)
SEARCH = re.compile(r"/api/(datasets|models)")
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Request(NamedTuple):
    """One request as it arrived: ``path`` is decoded and without its query."""

    method: str
    path: str
    query: str


class NotServedError(Exception):
    """A refusal: ``code`` is the hub's own name for the reason."""

    def __init__(self, code: str, commit: str = ""):
        super().__init__(code)
        self.code = code
        self.commit = commit


@dataclass(frozen=True)
class Commit:
    """The files of one repository at one commit."""

    sha: str
    files: dict[str, bytes]

    @classmethod
    def read(cls, folder: Path) -> Commit:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        return cls(sha1(repr([(name, sha1(data)) for name, data in files.items()]).encode()), files)

    def entry(self, path: str) -> dict:
        """How the tree and paths-info answers describe a file or folder."""
        if path in self.files:
            data = self.files[path]
            return {"type": "file", "path": path, "size": len(data), "oid": sha1(data)}
        return {"type": "directory", "path": path, "size": 0, "oid": sha1(path.encode())}

    def below(self, folder: str, *, recursive: bool) -> list[dict]:
        """The entries of a folder ("" is the root); raises if there is no such folder."""
        prefix = f"{folder}/" if folder else ""
        found = set()
        for path in self.files:
            if path.startswith(prefix):
                parts = path.removeprefix(prefix).split("/")
                depths = range(1, len(parts) + 1) if recursive else (1,)
                found |= {prefix + "/".join(parts[:depth]) for depth in depths}
        if folder and not found:
            raise NotServedError("EntryNotFound", self.sha)
        return [self.entry(path) for path in sorted(found)]

    def about(self, paths: list[str]) -> list[dict]:
        """The entries of those paths that exist."""
        known = {entry["path"]: entry for entry in self.below("", recursive=True)}
        return [known[path] for path in paths if path in known]

    def card(self, name: str) -> dict:
        """What the hub says of a repository."""
        return {
            "id": name,
            "sha": self.sha,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "lastModified": "2024-01-01T00:00:00.000Z",
            "createdAt": "2024-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": path} for path in self.files],
        }


class HubServer:
    """Serves ``root`` on a free local port for the length of a ``with`` block.

    Attributes:
        url: what ``HF_ENDPOINT`` should say.
        requests: every request so far, in order of arrival.
        gated: repositories (``datasets/ORG/NAME``) whose files are for people who signed in.
    """

    def __init__(self, root: Path):
        self.root = root
        self.requests: list[Request] = []
        self.gated: set[str] = set()
        self._history: dict[str, list[Commit]] = {}
        self.commit()

    def commit(self) -> None:
        """Read the folder again; repositories whose files changed get a new head."""
        for kind in KINDS:
            for folder in self.root.glob(f"{kind}/*/*"):
                history = self._history.setdefault(folder.relative_to(self.root).as_posix(), [])
                now = Commit.read(folder)
                if not history or history[-1].sha != now.sha:
                    history.append(now)

    def head(self, repo: str) -> str:
        """The current commit of ``datasets/ORG/NAME`` or ``models/ORG/NAME``."""
        return self._history[repo][-1].sha

    def find(self, repo: str, revision: str) -> Commit:
        if repo not in self._history:
            raise NotServedError("RepoNotFound")
        history = self._history[repo]
        if revision == "main":
            return history[-1]
        for commit in history:
            if commit.sha == revision:
                return commit
        raise NotServedError("RevisionNotFound")

    def search(self, kind: str, *, words: str, owner: str) -> list[dict]:
        names = (repo.removeprefix(f"{kind}/") for repo in self._history if repo.startswith(kind))
        return [{"id": n} for n in names if words in n.lower() and n.startswith(owner)]

    def paths(self, method: str = "") -> list[str]:
        """The paths requested so far, all or by one method."""
        return [request.path for request in self.requests if method in ("", request.method)]

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: HubServer, *args: object):
        self.hub = hub
        super().__init__(*args)

    def do_GET(self):
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        length = int(self.headers.get("Content-Length", 0))
        form = parse_qs(self.rfile.read(length).decode())
        self.hub.requests.append(Request(self.command, path, url.query))
        try:
            if match := FILE.fullmatch(url.path):
                self._file(*(unquote(part or "") for part in match.groups()))
            elif match := API.fullmatch(url.path):
                kind, name, what, revision, rest = (unquote(part or "") for part in match.groups())
                commit = self.hub.find(f"{kind}/{name}", revision or "main")
                if what == "tree":
                    recursive = query.get("recursive", [""])[0].lower() == "true"
                    answer = commit.below(rest, recursive=recursive)
                elif what == "paths-info":
                    answer = commit.about(form.get("paths", []))
                else:
                    answer = commit.card(name)
                self._json(answer, commit.sha)
            elif match := SEARCH.fullmatch(url.path):
                words, owner = (query.get(key, [""])[0] for key in ("search", "author"))
                self._json(self.hub.search(match[1], words=words.lower(), owner=owner))
            else:
                raise NotServedError("EntryNotFound")
        except NotServedError as reason:
            status = 401 if reason.code == "GatedRepo" else 404
            self._send(status, b"{}", {"X-Error-Code": reason.code, "X-Repo-Commit": reason.commit})

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.do_GET()

    def _file(self, kind: str, name: str, revision: str, path: str):
        repo = (kind or "models/") + name
        commit = self.hub.find(repo, revision)
        if repo in self.hub.gated:
            raise NotServedError("GatedRepo", commit.sha)
        if path not in commit.files:
            raise NotServedError("EntryNotFound", commit.sha)
        data = commit.files[path]
        headers = {"ETag": f'"{sha1(data)}"', "X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            self._send(206, data[first : last + 1], headers)
        else:
            self._send(200, data, headers)

    def _json(self, answer: object, commit: str = ""):
        headers = {"Content-Type": "application/json", "X-Repo-Commit": commit}
        self._send(200, json.dumps(answer).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object):
        """Nothing on stderr: the requests are in ``HubServer.requests``."""


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def run_client(
    code: str, *args: str, endpoint: str, cache: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new interpreter whose only hub is ``endpoint``.

    Args:
        code: the program; ``args`` are its ``sys.argv[1:]``.
        endpoint: the ``url`` of a server.
        cache: where the clients keep what they download (``HF_HOME``).
        cwd: the folder it runs in.
        environment: more variables, such as ``HF_HUB_OFFLINE="1"``.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "XSTILTS_MIRROR"))
        and not name.lower().endswith("_proxy")
    }
    hub = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),  # the packages that this interpreter sees
    }
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env=kept | hub | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
