"""What TensorFlow Serving does with an exported model, for machines without `tensorflow_model_server`.

As there, the graph runs in a session, fed and fetched by the names of the signatures' tensors; requests come by gRPC
with TensorFlow Serving's own protocol buffers, or by HTTP in its JSON form.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata for the newest version of one model."""

    def __init__(self, name: str, base_path: Path) -> None:
        self._name = name
        self._version = max(int(path.name) for path in base_path.iterdir() if path.name.isdecimal())
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loader = tf.compat.v1.saved_model.loader
            meta_graph = loader.load(self._session, ["serve"], str(base_path / str(self._version)))
        self._signatures = meta_graph.signature_def

    def signature(self, name: str) -> Any:
        """The SignatureDef of a name, by default `serving_default`."""
        name = name or "serving_default"
        if name not in self._signatures:
            raise tf.errors.FailedPreconditionError(None, None, f'Serving signature key "{name}" not found.')
        return self._signatures[name]

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """The answer to a request; raises a TensorFlow error."""
        self._check(request.model_spec)
        signature = self.signature(request.model_spec.signature_name)
        if set(request.inputs) != set(signature.inputs):
            reason = f"input size does not match signature: {sorted(request.inputs)} != {sorted(signature.inputs)}"
            raise tf.errors.InvalidArgumentError(None, None, reason)
        fed = {signature.inputs[name].name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        names = list(request.output_filter) or list(signature.outputs)
        fetched = self._session.run([signature.outputs[name].name for name in names], fed)
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        response.model_spec.version.value = self._version
        for name, value in zip(names, fetched, strict=True):
            dtype = signature.outputs[name].dtype
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value, dtype, np.shape(value)))
        return response

    def _check(self, spec: Any) -> None:
        if spec.name != self._name or (spec.HasField("version") and spec.version.value != self._version):
            raise tf.errors.NotFoundError(None, None, f"Servable not found for request: {spec.name}")

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The service's method of this name."""
        return _or_abort(context, lambda: self.predict(request))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The service's method of this name."""

        def metadata() -> Any:
            self._check(request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=self._signatures)
            response.metadata["signature_def"].Pack(signatures)
            return response

        return _or_abort(context, metadata)

    def predict_json(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a body of POST /v1/models/NAME:predict; raises a TensorFlow error.

        "instances" is a list of values of the only input, or of objects with a value for each input; "inputs" is the
        same by columns. Bytes are written {"b64": ...}.
        """
        signature = self.signature(body.get("signature_name", ""))
        by_rows = "instances" in body
        columns = body["instances" if by_rows else "inputs"]
        if by_rows and columns and isinstance(columns[0], dict) and not _is_bytes(columns[0]):
            columns = {key: [row[key] for row in columns] for key in columns[0]}
        elif by_rows or not isinstance(columns, dict):
            columns = {next(iter(signature.inputs)): columns}
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = body.get("signature_name", "")
        for key, value in columns.items():
            dtype = signature.inputs[key].dtype if key in signature.inputs else tf.string
            request.inputs[key].CopyFrom(tf.make_tensor_proto(_without_base64(value), dtype))
        response = self.predict(request)
        outputs = {key: _as_json(tf.make_ndarray(value).tolist()) for key, value in response.outputs.items()}
        if len(outputs) == 1:
            (values,) = outputs.values()
            return {"predictions" if by_rows else "outputs": values}
        if not by_rows:
            return {"outputs": outputs}
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}


def _or_abort(context: Any, answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except tf.errors.OpError as error:
        return context.abort(_CODES[error.error_code], error.message)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _without_base64(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_base64(part) for part in value]
    return base64.b64decode(value["b64"]) if _is_bytes(value) else value


def _as_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_json(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def serve(name: str, base_path: Path) -> Iterator[tuple[str, str]]:
    """Serves BASE_PATH/VERSION; yields the address for gRPC and the one for HTTP."""
    service = PredictionService(name, base_path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code, answer = 200, {}
            if self.path != f"/v1/models/{name}:predict":
                code, answer = 404, {"error": f"Malformed request: POST {self.path}"}
            else:
                try:
                    answer = service.predict_json(name, json.loads(body))
                except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
                    code, answer = 400, {"error": str(error)}
            content = json.dumps(answer, ensure_ascii=False).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    by_grpc = grpc.server(ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, by_grpc)
    port = by_grpc.add_insecure_port("127.0.0.1:0")
    by_grpc.start()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as by_http:
        Thread(target=by_http.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{port}", f"http://127.0.0.1:{by_http.server_port}"
        finally:
            by_http.shutdown()
            by_grpc.stop(None).wait()
