"""A small server that answers as the hub of models does: a model at several commits, refusals by name."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

REFUSALS = {
    "private": (401, "RepoNotFound"), "gated": (403, "GatedRepo"), "none": (404, "RepoNotFound"),
    "busy": (429, ""), "broken": (503, ""),
}  # fmt: skip


@dataclass
class Served:
    """The address of the hub, and its model's folders by commit; ``main`` is the commit of its branch."""

    address: str
    folders: Mapping[str, Path]
    main: str

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs that shall know no other hub."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_XET": "1",
        }


class _Handler(BaseHTTPRequestHandler):
    served: ClassVar[Served]

    def do_GET(self) -> None:
        for name, (code, kind) in REFUSALS.items():
            if f"/{name}" in self.path:
                self._reply(code, b"", {"X-Error-Code": kind})
                return
        if "/cut" in self.path:
            self.connection.close()
            return
        if self.path.startswith("/turn/"):  # a commit is made: the branch stands at it from now on
            self.served.main = self.path.rpartition("/")[2]
            self._reply(200, b"", {})
            return
        commits = [commit for commit in self.served.folders if f"/{commit}" in self.path]
        commit = commits[0] if commits else self.served.main
        folder = self.served.folders[commit]
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if "/tree/" in self.path:
            tree = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0"}
                for f in files
            ]
            body = json.dumps(tree).encode()
        elif "/api/models/" in self.path:
            whole = {"id": "owner/good", "sha": commit, "private": False, "tags": [], "likes": 0}
            whole["siblings"] = [{"rfilename": file.name} for file in files]
            body = json.dumps(whole | {"downloads": 0}).encode()
        elif (file := folder / self.path.rpartition("/")[2]).is_file():
            body = file.read_bytes()
        else:
            self._reply(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        tag = hashlib.sha256(body).hexdigest()
        self._reply(200, body, {"X-Repo-Commit": commit, "ETag": tag})

    do_HEAD = do_GET

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stand_in_hub(folders: Mapping[str, Path]) -> Iterator[Served]:
    """A hub with the model ``owner/good`` at each commit; its branch stands at the first."""
    handler = type("Hub", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served = Served(f"http://127.0.0.1:{server.server_port}", folders, next(iter(folders)))
    handler.served = served
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
