// The vocabulary of a text handler: from words to the numbers that its model was trained with.
#ifndef HEADRACE_HANDLER_VOCABULARY_H_
#define HEADRACE_HANDLER_VOCABULARY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace headrace::handler {

// Immutable once made; thread-safe.
class Vocabulary {
 public:
  // From a pickle of a dictionary (also an OrderedDict or a Counter) of words and their numbers.
  // INVALID_ARGUMENT says what is not that. What stands behind it is not looked at;
  // `pickle_byte_size` becomes its size.
  static Result<Vocabulary> FromPickle(std::string bytes, std::size_t* pickle_byte_size = nullptr);
  // From a file of torch.save in the form before PyTorch 1.6: several pickles, one after the other.
  static Result<Vocabulary> FromLegacyFile(std::string file);
  static bool IsLegacyFile(std::string_view file);

  // Unknown words have the number of "<unk>", if there is one, else 0; 0 in a Counter.
  std::int64_t Number(std::string_view word) const {
    const auto found = numbers_.find(word);
    return found == numbers_.end() ? unknown_ : found->second;
  }
  std::size_t size() const { return numbers_.size(); }

 private:
  static Result<Vocabulary> Read(std::string bytes, bool is_legacy, std::size_t* byte_size);

  std::unique_ptr<const std::string> bytes_;  // which the words point into
  std::unordered_map<std::string_view, std::int64_t> numbers_;
  std::int64_t unknown_ = 0;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_VOCABULARY_H_
