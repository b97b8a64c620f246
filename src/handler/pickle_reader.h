// Reads the few pickles that hold a dictionary of words and numbers, and nothing else: Python's
// pickles are programs, and this executes none. Known are the opcodes that dictionaries, texts,
// whole numbers and truth values need, and by name collections.OrderedDict and collections.Counter,
// which become maps. Whatever else stands there is INVALID_ARGUMENT with its place.
#ifndef HEADRACE_HANDLER_PICKLE_READER_H_
#define HEADRACE_HANDLER_PICKLE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::handler {

struct PickleLimits {
  std::size_t entry_count_max = 8'000'000;  // of all maps together
  // Values that wait for the opcode which takes them: Python's picklers stack up a thousand pairs.
  std::size_t stack_size_max = 100'000;
  std::size_t mark_count_max = 64;
};

struct PickleValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInteger,
    kText,
    kMap,
    kNoArguments,
    kOneArgument,
    kClass
  };
  Kind kind = Kind::kNone;
  std::int64_t number = 0;  // kInteger, kBool; kMap, kOneArgument: the map's index; kClass: which
  std::string_view text{};  // of the bytes that were read; not checked to be UTF-8
};

struct PickleMap {
  std::vector<std::pair<PickleValue, PickleValue>> entries;  // in order, repeated keys included
  bool is_counter = false;
};

// Not thread-safe. `bytes` are borrowed, and values point into them. Memory: about 100 bytes for
// each entry.
class PickleReader {
 public:
  explicit PickleReader(std::string_view bytes, PickleLimits limits = {})
      : bytes_(bytes), limits_(limits) {}

  // The next pickle, which begins where the last one ended.
  Result<PickleValue> Read();
  // Where the last pickle ended.
  std::size_t position() const { return at_; }
  // Of a value of kind kMap.
  const PickleMap& map(const PickleValue& value) const {
    return maps_[static_cast<std::size_t>(value.number)];
  }

 private:
  Status Refused(std::string_view what) const;
  Result<std::string_view> Take(std::uint64_t byte_size);
  // A little-endian number of that many bytes.
  Result<std::uint64_t> TakeNumber(std::size_t byte_size);
  Result<std::string_view> TakeLine();
  Status Push(PickleValue value);
  Result<PickleValue> Pop();
  Status Execute(std::uint8_t opcode);
  Status ExecuteText(std::uint8_t opcode);
  Status ExecuteNumber(std::uint8_t opcode);
  Status ExecuteMemo(std::uint8_t opcode);
  Status ExecuteClass(std::uint8_t opcode);
  Status PutAt(std::uint64_t index);
  Status NewMap();
  Status SetItems(std::size_t from);
  Status Call();

  const std::string_view bytes_;
  const PickleLimits limits_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;  // of the opcode that is executed, for messages
  std::size_t entry_count_ = 0;
  std::vector<PickleMap> maps_;
  std::vector<PickleValue> stack_, memo_;
  std::vector<std::size_t> marks_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_PICKLE_READER_H_
