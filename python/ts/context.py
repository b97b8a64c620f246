"""What a handler knows about the model and the batch that it works on."""

import os

from ts import __version__

CONTENT_TYPE = "content-type"


class RequestProcessor:
    """Headers of one request, and status and headers of its answer."""

    __slots__ = ("_request_headers", "_folded", "_response_headers", "_status", "_phrase")

    def __init__(self, request_header):
        self._request_headers = request_header
        self._folded = None
        self._response_headers = {}
        self._status = 200
        self._phrase = None

    def get_request_property(self, key):
        """By the client's spelling, else without regard to case; None for none."""
        if key in self._request_headers:
            return self._request_headers[key]
        if self._folded is None:
            self._folded = {name.lower(): value for name, value in self._request_headers.items()}
        return self._folded.get(key.lower())

    def get_request_properties(self):
        return self._request_headers

    def report_status(self, code, reason_phrase=None):
        self._status = code
        self._phrase = reason_phrase

    def get_response_status_code(self):
        return self._status

    def get_response_status_phrase(self):
        return self._phrase

    def add_response_property(self, key, value):
        self._response_headers[key] = value

    def get_response_headers(self):
        return self._response_headers

    def get_response_header(self, key):
        return self._response_headers.get(key)


class Context:
    """One for each model in a worker; the same object for all of its batches, so that handlers may keep things in
    it."""

    header_key_sequence_id = os.environ.get("TS_REQUEST_SEQUENCE_ID") or "ts_request_sequence_id"
    header_key_sequence_start = os.environ.get("TS_REQUEST_SEQUENCE_START") or "ts_request_sequence_start"
    header_key_sequence_end = os.environ.get("TS_REQUEST_SEQUENCE_END") or "ts_request_sequence_end"

    def __init__(
        self,
        model_name,
        model_dir,
        manifest,
        batch_size,
        gpu,
        mms_version=__version__,
        limit_max_image_pixels=True,
        metrics=None,
        model_yaml_config=None,
    ):
        self.model_name = model_name
        self.manifest = manifest
        self._system_properties = {
            "model_dir": model_dir,
            "gpu_id": gpu,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": mms_version,
            "limit_max_image_pixels": limit_max_image_pixels,
        }
        self.request_ids = {}
        self.request_processor = [RequestProcessor({})]
        self.metrics = metrics
        self.model_yaml_config = model_yaml_config if model_yaml_config is not None else {}
        self.stopping_criteria = None
        self.cl_socket = None  # there is none: streams leave through `streamer`
        self.streamer = None  # takes the intermediate answers of a batch; set by the worker while a batch runs

    @property
    def system_properties(self):
        return self._system_properties

    def get_request_id(self, idx=0):
        return self.request_ids.get(idx)

    def get_request_header(self, idx, key):
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx):
        return self.request_processor[idx].get_request_properties()

    def get_sequence_id(self, idx):
        return self.get_request_header(idx, self.header_key_sequence_id)

    def set_response_content_type(self, idx, value):
        self.set_response_header(idx, CONTENT_TYPE, value)

    def get_response_content_type(self, idx):
        return self.get_response_headers(idx).get(CONTENT_TYPE)

    def set_response_header(self, idx, key, value):
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx):
        return self.request_processor[idx].get_response_headers()

    def set_response_status(self, code=200, phrase="", idx=0):
        self.request_processor[idx].report_status(code, reason_phrase=phrase)

    def set_all_response_status(self, code=200, phrase=""):
        for processor in self.request_processor:
            processor.report_status(code, reason_phrase=phrase)

    def get_response_status(self, idx):
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def __eq__(self, other):
        return isinstance(other, Context) and self.__dict__ == other.__dict__

    __hash__ = object.__hash__
