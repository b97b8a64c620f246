#include "handler/vocabulary.h"

#include <simdjson.h>

#include <utility>

#include "handler/pickle_reader.h"

namespace headrace::handler {
namespace {

using std::string_view_literals::operator""sv;

// The pickles of torch's magic number and of its protocol, 1001.
constexpr std::string_view kLegacyHead =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."sv;

}  // namespace

bool Vocabulary::IsLegacyFile(std::string_view file) { return file.starts_with(kLegacyHead); }

Result<Vocabulary> Vocabulary::FromPickle(std::string bytes, std::size_t* pickle_byte_size) {
  return Read(std::move(bytes), false, pickle_byte_size);
}

Result<Vocabulary> Vocabulary::FromLegacyFile(std::string file) {
  return IsLegacyFile(file) ? Read(std::move(file), true, nullptr)
                            : InvalidArgument("it does not begin as files of torch.save do");
}

Result<Vocabulary> Vocabulary::Read(std::string bytes, bool is_legacy, std::size_t* byte_size) {
  Vocabulary vocabulary;
  vocabulary.bytes_ = std::make_unique<const std::string>(std::move(bytes));
  std::string_view pickles = *vocabulary.bytes_;
  if (is_legacy) {
    pickles.remove_prefix(kLegacyHead.size());
  }
  PickleReader reader(pickles);
  if (is_legacy) {
    // What the machine that wrote it was like.
    HEADRACE_RETURN_IF_ERROR(reader.Read().status());
  }
  HEADRACE_ASSIGN_OR_RETURN(const PickleValue value, reader.Read());
  if (byte_size != nullptr) {
    *byte_size = reader.position();
  }
  if (value.kind != PickleValue::Kind::kMap) {
    return InvalidArgument("it holds no dictionary");
  }
  const PickleMap& map = reader.map(value);
  vocabulary.numbers_.reserve(map.entries.size());
  for (const auto& [word, number] : map.entries) {
    if (word.kind != PickleValue::Kind::kText || number.kind != PickleValue::Kind::kInteger ||
        number.number < 0 || !simdjson::validate_utf8(word.text)) {
      return InvalidArgument("an entry of its dictionary is no text with a number from 0 on");
    }
    vocabulary.numbers_[word.text] = number.number;
  }
  if (const auto unknown = vocabulary.numbers_.find("<unk>");
      unknown != vocabulary.numbers_.end() && !map.is_counter) {
    vocabulary.unknown_ = unknown->second;
  }
  return vocabulary;
}

}  // namespace headrace::handler
