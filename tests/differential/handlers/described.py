"""A handler that is a class, describes itself and explains itself."""


class Described:
    """Stands in for a model of its users'."""

    def __init__(self):
        self.initialized = False

    def initialize(self, context):
        """Called once, when the model is loaded."""
        self.initialized = context.system_properties["model_dir"] != ""

    def describe_handle(self):
        """What describe with customized=true shows."""
        return {"labels": ["cat", "dog"], "missing": None, "depth": 3}

    def handle(self, rows, context):
        """One answer for each row."""
        if context.get_request_header(0, "describe") == "True":
            return [self.describe_handle()]
        explain = context.get_request_header(0, "explain") == "True"
        return [{"explained": explain, "initialized": self.initialized} for _ in rows]
