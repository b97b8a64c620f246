"""service_envelope "kservev2": the second protocol's documents."""

import base64

from ts.torch_handler.request_envelope.base import BaseEnvelope, json_content

_BY_NUMPY = {
    "bool": "BOOL",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "object": "BYTES",
}


class KServev2Envelope(BaseEnvelope):
    """The handler gets the inputs of one request as its rows. Requests of a batch are handed to it one after the
    other."""

    def handle(self, data, context):
        self.context = context
        if data is None:
            return self._handle_fn(data, context)
        return [self._handle_one(index, row) for index, row in enumerate(data)]

    def _handle_one(self, index, row):
        document = json_content(row)
        inputs = document.get("inputs")
        if not isinstance(inputs, list) or not inputs:
            raise ValueError('the request must be {"inputs": [...]}')
        result = self._handle_fn([self._input(one) for one in inputs], self.context)
        names = [one.get("name") for one in inputs]
        values = result if isinstance(result, list) and len(result) == len(names) else [result]
        model = self.context.manifest.get("model", {})
        return {
            "id": document.get("id") or self.context.get_request_id(index),
            "model_name": model.get("modelName", self.context.model_name),
            "model_version": str(model.get("modelVersion", "1.0")),
            "outputs": [self._output(name, value) for name, value in zip(names, values)],
        }

    @staticmethod
    def _input(one):
        import numpy

        one = dict(one)
        values = one.get("data")
        if one.get("datatype") == "BYTES":
            one["data"] = values[0] if isinstance(values, list) else values
        else:
            one["data"] = numpy.array(values).reshape(one.get("shape")).tolist()
        return one

    @staticmethod
    def _output(name, value):
        import numpy

        if isinstance(value, (str, dict)):
            return {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        if isinstance(value, (bytes, bytearray)):
            return {"name": name, "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(value).decode("ascii")]}
        array = numpy.asarray(value)
        kind = "BYTES" if array.dtype.kind in "US" else _BY_NUMPY.get(array.dtype.name)
        if kind is None:
            raise ValueError(f"output {name!r}: values of type {array.dtype} have no name in this protocol")
        data = array.ravel().tolist()
        return {"name": name, "shape": [len(data)], "datatype": kind, "data": data}
