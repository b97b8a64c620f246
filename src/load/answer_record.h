// Keeps one answer, where answers are recorded and not compared.
#ifndef HEADRACE_LOAD_ANSWER_RECORD_H_
#define HEADRACE_LOAD_ANSWER_RECORD_H_

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "load/workload.h"

namespace headrace::load {

// Of one content. The first answer stays. Thread-safe.
class AnswerRecord {
 public:
  void Take(const std::vector<TensorContent>& outputs) {
    const std::lock_guard lock(mutex_);
    if (!outputs_) {
      outputs_ = outputs;
    }
  }
  void TakeBody(std::string_view body) {
    const std::lock_guard lock(mutex_);
    if (!body_) {
      body_ = body;
    }
  }
  // Nothing: there was none.
  std::optional<std::vector<TensorContent>> outputs() const {
    const std::lock_guard lock(mutex_);
    return outputs_;
  }
  std::optional<std::string> body() const {
    const std::lock_guard lock(mutex_);
    return body_;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::optional<std::vector<TensorContent>> outputs_;
  std::optional<std::string> body_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_ANSWER_RECORD_H_
