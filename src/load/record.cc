#include "load/record.h"

namespace headrace::load {

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kWrong:
      return "wrong answer";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kClientError:
      return "client error";
    case Outcome::kServerError:
      return "server error";
    case Outcome::kConnect:
      return "no connection";
    case Outcome::kReset:
      return "reset";
    case Outcome::kMalformed:
      return "malformed answer";
    case Outcome::kTimeout:
      return "timeout";
  }
  return "unknown";
}

}  // namespace headrace::load
