"""Serve an exported run over HTTP: POST a photo, get its classes as JSON.

    kerascnn export run/ --to onnx
    python recipes/serve.py run/export/onnx --port 8000
    curl --data-binary @photo.jpg http://localhost:8000

Neither TensorFlow nor Keras is needed where it runs: `pip install onnxruntime numpy pillow` and
`pip install --no-deps .`, whose decoder reads photos exactly as they were in training.
Nobody is asked who they are and nothing is encrypted: put it behind a server that does both.
For TensorFlow Serving: `kerascnn export run/ --to saved_model --output served/NAME/1`.
"""

import argparse
import http.server
import json
from pathlib import Path

import onnxruntime

from kerascnn import InputError
from kerascnn.data import Decoder

MOST_BYTES = 32_000_000  # of a photo

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", type=Path, help="what `kerascnn export --to onnx` made")
parser.add_argument("--port", type=int, default=8000)
options = parser.parse_args()
network = onnxruntime.InferenceSession(options.folder / "model.onnx")
labels = json.loads(network.get_modelmeta().custom_metadata_map["labels"])
decoder = Decoder(labels["image_size"], labels["channels"], labels["resize"])


class Photos(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if not 0 < size <= MOST_BYTES:
            return self.answer(413, {"error": f"a photo has 1 to {MOST_BYTES:,} bytes"})
        try:
            photo = decoder(self.rfile.read(size))
        except InputError as error:
            return self.answer(400, {"error": str(error)})
        (probabilities,) = network.run(["probabilities"], {"images": photo[None]})[0]
        pairs = sorted(zip(probabilities.tolist(), labels["class_names"]), reverse=True)
        return self.answer(200, {name: probability for probability, name in pairs})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


with http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Photos) as server:
    print(f"Listening on http://localhost:{server.server_port}", flush=True)
    server.serve_forever()
