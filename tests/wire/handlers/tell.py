"""Tells the version that it is of, and describes itself when it is asked to."""


def handle(rows, context):
    if rows is None:
        return None
    if any(context.get_request_header(index, "describe") == "True" for index in range(len(rows))):
        return [{"sound": "meow", "nothing": None}]
    return [context.manifest["model"]["modelVersion"]] * len(rows)
