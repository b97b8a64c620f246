"""service_envelope "body": the handler gets contents without their names."""

from ts.torch_handler.request_envelope.base import BaseEnvelope, row_content


class BodyEnvelope(BaseEnvelope):
    def parse_input(self, data):
        return [row_content(row) for row in data]

    def format_output(self, data):
        return data
