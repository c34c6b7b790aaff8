"""An API server by plain HTTP, without our client: for tests that ask what the server itself says."""

from __future__ import annotations

import json
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lab.servers import ApiServer
from provider.api import kinds
from provider.api.kinds import Kind
from provider.manifest import Manifest

Answer = tuple[int, Manifest]
"""HTTP status and the object or metav1.Status."""


class Rest:
    """Requests as an administrator. `subresource` is status, scale or nothing."""

    def __init__(self, server: ApiServer) -> None:
        pair = server.authority.client("admin", "system:masters")
        (server.folder / "admin.pem").write_bytes(pair.certificate + pair.key)
        self._server = server
        self._context = ssl.create_default_context(cadata=server.authority.certificate.decode())
        self._context.load_cert_chain(server.folder / "admin.pem")

    def get(self, kind: Kind) -> Answer:
        """All objects of a kind in all namespaces."""
        return self._send("GET", self._path(kind, None))

    def read(self, manifest: Manifest, subresource: str = "") -> Answer:
        return self._send("GET", self._object(manifest, subresource))

    def post(self, manifest: Manifest, *, dry: bool = False) -> Answer:
        kind, namespace = kinds.of(manifest), manifest["metadata"].get("namespace")
        return self._send("POST", self._path(kind, namespace) + ("?dryRun=All" if dry else ""), manifest)

    def put(self, manifest: Manifest, subresource: str = "", body: Manifest | None = None) -> Answer:
        """`body` where the subresource is an object of another kind."""
        return self._send("PUT", self._object(manifest, subresource), body or manifest)

    def delete(self, manifest: Manifest) -> Answer:
        return self._send("DELETE", self._object(manifest))

    def _object(self, manifest: Manifest, subresource: str = "") -> str:
        metadata = manifest["metadata"]
        path = f"{self._path(kinds.of(manifest), metadata.get('namespace'))}/{metadata['name']}"
        return f"{path}/{subresource}" if subresource else path

    def _path(self, kind: Kind, namespace: str | None) -> str:
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
        return f"{root}/namespaces/{namespace}/{kind.plural}" if namespace else f"{root}/{kind.plural}"

    def _send(self, method: str, path: str, body: Any = None) -> Answer:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self._server.url}{path}", data=data, method=method, headers=headers)
        try:
            with urlopen(request, timeout=30, context=self._context) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            content = error.read()
            try:
                return error.code, json.loads(content)
            except ValueError:
                return error.code, {"message": content.decode(errors="replace")}
