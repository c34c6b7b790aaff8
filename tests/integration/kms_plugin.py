"""A KMS v2 plugin: what kube-apiserver asks over a Unix socket, answered by a gRPC server of three methods.

Messages are described here as Kubernetes' v2 protocol has them, for nobody publishes them as a Python package.
"""

from __future__ import annotations

from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cryptography.fernet import Fernet
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "v2.KeyManagementService"
TEXT, BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
FIELDS = {
    "StatusRequest": [],
    "StatusResponse": [("version", TEXT), ("healthz", TEXT), ("key_id", TEXT)],
    "EncryptRequest": [("plaintext", BYTES), ("uid", TEXT)],
    "EncryptResponse": [("ciphertext", BYTES), ("key_id", TEXT)],
    "DecryptRequest": [("ciphertext", BYTES), ("uid", TEXT), ("key_id", TEXT)],
    "DecryptResponse": [("plaintext", BYTES)],
}
"""Without annotations, which a plugin need not give."""


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="kms.proto", package="v2", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            optional = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, label=optional)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {each: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v2.{each}")) for each in FIELDS}


MESSAGES = _messages()


@dataclass
class KmsPlugin:
    """One with one key of its own."""

    folder: Path
    encrypted: int = 0
    decrypted: int = 0

    def __post_init__(self) -> None:
        self._cipher, self._server = Fernet(Fernet.generate_key()), grpc.server(futures.ThreadPoolExecutor(4))

    @property
    def endpoint(self) -> str:
        return f"unix://{self.folder}/plugin.sock"

    def start(self) -> None:
        answers = {"Status": self._status, "Encrypt": self._encrypt, "Decrypt": self._decrypt}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                answer,
                request_deserializer=MESSAGES[f"{name}Request"].FromString,
                response_serializer=MESSAGES[f"{name}Response"].SerializeToString,
            )
            for name, answer in answers.items()
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self._server.add_insecure_port(self.endpoint)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _status(self, _: Any, __: Any) -> Any:
        return MESSAGES["StatusResponse"](version="v2", healthz="ok", key_id="one")

    def _encrypt(self, request: Any, _: Any) -> Any:
        self.encrypted += 1
        return MESSAGES["EncryptResponse"](ciphertext=self._cipher.encrypt(request.plaintext), key_id="one")

    def _decrypt(self, request: Any, _: Any) -> Any:
        self.decrypted += 1
        return MESSAGES["DecryptResponse"](plaintext=self._cipher.decrypt(request.ciphertext))
