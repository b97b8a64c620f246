"""Does what the input `data` (or `body`) of a request says."""

import os
import select

from ts.handler_utils.utils import send_intermediate_predict_response
from ts.metrics.metric_type_enum import MetricTypes
from ts.utils.util import PredictionException


def handle(rows, context):
    if rows is None:
        return None
    return [_obey(index, row, context) for index, row in enumerate(rows)]


def _obey(index, row, context):
    order, _, what = bytes(row.get("data") or row.get("body") or b"").decode().partition(" ")
    if order == "keys":
        return {key: type(value).__name__ for key, value in sorted(row.items())}
    if order == "sequence":
        return context.get_request_header(index, context.header_key_sequence_id)
    if order == "fail":
        raise ValueError("asked for")
    if order == "code":
        raise PredictionException("no", int(what))
    if order == "pieces":
        for piece in what.split():
            send_intermediate_predict_response([piece], context.request_ids, "", 200, context)
        return ["end"][0]
    if order == "wait":
        with open(what + ".entered", "w", encoding="utf-8"):
            pass
        while not os.path.exists(what):
            select.select([], [], [], 0.002)
    if order == "count":
        context.metrics.add_counter("Orders", int(what), None, [])
        context.metrics.add_metric("Weight", 2.5, "kg", None, [], MetricTypes.HISTOGRAM)
        print(f"[METRICS]Printed.Count:{what}|#ModelName:orders|#type:GAUGE|#hostname:h,1")
    if order == "colour":
        context.metrics.get_metric("Colours").add_or_update(1, ["orders", what])
        context.metrics.get_metric("Sizes", MetricTypes.HISTOGRAM).add_or_update(len(what), ["orders"])
        context.metrics.add_error("Faults", 1)
    return order
