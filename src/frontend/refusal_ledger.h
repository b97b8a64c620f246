// Counts the requests that the front end refused before any model saw them.
#ifndef HEADRACE_FRONTEND_REFUSAL_LEDGER_H_
#define HEADRACE_FRONTEND_REFUSAL_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace headrace::frontend {

enum class RefusalReason : std::uint8_t {
  kUnknownModel,  // no such model or version
  kNotReady,      // known, but not serving
  kMalformed,     // the body or its headers are wrong
  kTooLarge,      // body, decompressed body or a converted tensor beyond its limit
  kEncoding,      // a content coding that is not supported
  kUnsupported,   // the model cannot be reached this way
};
inline constexpr std::size_t kRefusalReasonCount = 6;

// The value of the metric's `reason` label.
std::string_view RefusalReasonName(RefusalReason reason);

// Thread-safe. Takes a mutex: refusals are not the hot path. Entries are bounded by the models that
// were ever serving, because a name that a client made up is counted under one entry without a name
// (reliability D21).
class RefusalLedger {
 public:
  using Counts = std::array<std::uint64_t, kRefusalReasonCount>;

  // `model` is the key (engine/model_key.h) and `version` the label of a known model; empty for an
  // unknown one.
  void Count(std::string_view model, std::string_view version, RefusalReason reason);
  void CountUnknown(RefusalReason reason) { Count({}, {}, reason); }

  // A copy, in the order of (model, version).
  std::map<std::pair<std::string, std::string>, Counts> Read() const;

 private:
  mutable std::mutex mutex_;  // guards counts_
  std::map<std::pair<std::string, std::string>, Counts> counts_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_REFUSAL_LEDGER_H_
