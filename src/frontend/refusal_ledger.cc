#include "frontend/refusal_ledger.h"

#include <utility>

namespace headrace::frontend {

std::string_view RefusalReasonName(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kUnknownModel:
      return "unknown_model";
    case RefusalReason::kNotReady:
      return "not_ready";
    case RefusalReason::kMalformed:
      return "malformed";
    case RefusalReason::kTooLarge:
      return "too_large";
    case RefusalReason::kEncoding:
      return "content_encoding";
    case RefusalReason::kUnsupported:
      return "unsupported";
  }
  return "other";
}

void RefusalLedger::Count(std::string_view model, std::string_view version, RefusalReason reason) {
  std::lock_guard lock(mutex_);
  ++counts_[{std::string(model), std::string(version)}][static_cast<std::size_t>(reason)];
}

std::map<std::pair<std::string, std::string>, RefusalLedger::Counts> RefusalLedger::Read() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace headrace::frontend
