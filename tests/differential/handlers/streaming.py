"""Answers in pieces."""

from ts.handler_utils.utils import send_intermediate_predict_response


def handle(rows, context):
    """Called once without rows when the model is loaded."""
    if rows is None:
        return None
    for number in range(3):
        send_intermediate_predict_response([f"piece {number};"], context.request_ids, "Intermediate", 200, context)
    return ["end"]
