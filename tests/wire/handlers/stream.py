"""Answers in pieces: as many as the request's body says."""

from ts.handler_utils.utils import send_intermediate_predict_response


def handle(rows, context):
    if rows is None:
        return None
    wishes = [row["body"] for row in rows]
    for index in range(len(rows)):
        context.set_response_content_type(index, "text/event-stream")
        context.set_response_header(index, "X-Piece", "yes")
    for step in range(max(wish["count"] for wish in wishes)):
        pieces = [f"data: {wish.get('name', '')}{step}\n\n" for wish in wishes]
        send_intermediate_predict_response(pieces, context.request_ids, "Intermediate Prediction success", 200, context)
    if any(wish.get("fail") for wish in wishes):
        raise ValueError("in the middle")
    return ["data: end\n\n"] * len(rows)
