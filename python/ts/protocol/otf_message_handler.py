"""The older home of send_intermediate_predict_response; handlers still import it from here."""

from ts.handler_utils.utils import send_intermediate_predict_response

__all__ = ["send_intermediate_predict_response"]
