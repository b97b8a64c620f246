// Which operations need a header that only some clients know (contracts, Triton 1.13).
#ifndef HEADRACE_FRONTEND_ACCESS_POLICY_H_
#define HEADRACE_FRONTEND_ACCESS_POLICY_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/operation_class.h"

namespace headrace::frontend {

// Not thread-safe while rules are added; immutable, so thread-safe, afterwards. Decides on the
// operation class of the route or method that a request has matched, so that no spelling of a path
// gets around it.
class AccessPolicy {
 public:
  struct Key {
    std::string header, value;
  };

  // A rule "<class>[,<class>...]:<header>=<value>": requests of these classes need the header with
  // exactly this value. INVALID_ARGUMENT that says what is wrong for another form, a class that
  // there is not or that has a rule already, and a header or value that no request can have.
  Status AddRule(std::string_view rule);
  bool empty() const { return rule_count_ == 0; }

  // Null: the operation is open to everybody. Costs one look into an array.
  const Key* KeyOf(OperationClass operation) const {
    const auto& key = keys_[static_cast<std::size_t>(operation)];
    return key.has_value() ? &*key : nullptr;
  }

  // Whether a request with this value of the header may go on; nothing: it has none. Takes the same
  // time for all values of a length.
  static bool Opens(const Key& key, std::optional<std::string_view> value);

 private:
  static constexpr std::size_t kClassCount = static_cast<std::size_t>(OperationClass::kMetrics) + 1;
  std::array<std::optional<Key>, kClassCount> keys_;
  std::size_t rule_count_ = 0;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_ACCESS_POLICY_H_
