// What tells sequences of one model apart: a number, or a text.
#ifndef HEADRACE_ENGINE_SEQUENCE_ID_H_
#define HEADRACE_ENGINE_SEQUENCE_ID_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/request.h"

namespace headrace::engine {

struct SequenceId {
  static constexpr std::size_t kTextSizeMax = 128;

  std::uint64_t number = 0;  // 0 with an empty text: no sequence is named
  std::string text;

  static SequenceId Of(const InferRequest& request) {
    return {request.correlation_id_text.empty() ? request.correlation_id : 0,
            request.correlation_id_text};
  }
  bool empty() const { return number == 0 && text.empty(); }
  std::string ToString() const { return text.empty() ? std::to_string(number) : text; }
  bool operator==(const SequenceId&) const = default;
};

struct SequenceIdHash {
  std::size_t operator()(const SequenceId& id) const {
    return id.text.empty() ? std::hash<std::uint64_t>()(id.number)
                           : std::hash<std::string>()(id.text);
  }
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_ID_H_
