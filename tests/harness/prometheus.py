"""The metrics page as numbers."""

import http.client
import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Page:
    """Samples of one scrape."""

    def __init__(self, text):
        self.text = text
        self.kinds = {}
        self.samples = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.kinds[name] = kind
            elif line and not line.startswith("#"):
                match = _SAMPLE.match(line)
                assert match, f"no Prometheus sample: {line!r}"
                labels = dict(_LABEL.findall(match.group(2) or ""))
                self.samples.append((match.group(1), labels, float(match.group(3))))

    def find(self, name, **labels):
        """The values of all samples that carry these labels."""
        return [
            value
            for sample, got, value in self.samples
            if sample == name and all(got.get(key) == want for key, want in labels.items())
        ]

    def value(self, name, **labels):
        """The one value, or 0 where there is none."""
        values = self.find(name, **labels)
        assert len(values) <= 1, f"{name}{labels} is not one sample: {values}"
        return values[0] if values else 0.0

    def total(self, name, **labels):
        return sum(self.find(name, **labels))


def scrape(server):
    connection = http.client.HTTPConnection(server.host, server.metrics_port, timeout=20)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("Content-Type", "").startswith("text/plain")
        return Page(response.read().decode())
    finally:
        connection.close()
