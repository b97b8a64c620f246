#include "load/stream_answer.h"

#include <cstdint>

namespace headrace::load {
namespace {

constexpr std::uint32_t kErrorMessage = 1, kInferResponse = 2;
constexpr std::uint32_t kId = 3, kParameters = 4, kOutputs = 5, kRawOutputs = 6;
constexpr std::uint32_t kBool = 1;
constexpr std::string_view kFinal = "triton_final_response";

// Fields one after another, of a message that may be cut short.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  // False at the end, at the cut, or at bytes that are no field (then broken()).
  bool Next() {
    std::uint64_t tag;
    if (bytes_.empty() || !Varint(tag)) {
      return false;
    }
    field_ = static_cast<std::uint32_t>(tag >> 3);
    value_ = {};
    number_ = 0;
    switch (tag & 7) {
      case 0:
        return Varint(number_);
      case 1:
        return Take(8);
      case 2: {
        std::uint64_t byte_size;
        return Varint(byte_size) && Take(byte_size);
      }
      case 5:
        return Take(4);
      default:
        broken_ = true;
        return false;
    }
  }
  std::uint32_t field() const { return field_; }
  std::uint64_t number() const { return number_; }
  std::string_view value() const { return value_; }  // as far as it is there
  bool broken() const { return broken_; }

 private:
  bool Varint(std::uint64_t& value) {
    value = 0;
    for (int shift = 0; !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift > 63) {
        broken_ = true;
        return false;
      }
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        return true;
      }
    }
    return false;
  }
  bool Take(std::uint64_t byte_size) {
    value_ = bytes_.substr(0, byte_size);
    bytes_.remove_prefix(value_.size());
    return true;
  }

  std::string_view bytes_;
  std::uint32_t field_ = 0;
  std::uint64_t number_ = 0;
  std::string_view value_;
  bool broken_ = false;
};

// map<string, InferParameter>
void ReadParameter(std::string_view entry, StreamAnswer& answer) {
  std::string_view name, parameter;
  for (Fields fields(entry); fields.Next();) {
    (fields.field() == 1 ? name : parameter) = fields.value();
  }
  if (name == kFinal) {
    answer.final = false;  // a false value may be left out
    for (Fields fields(parameter); fields.Next();) {
      if (fields.field() == kBool) {
        answer.final = fields.number() != 0;
      }
    }
  }
}

}  // namespace

bool ReadStreamAnswer(std::string_view bytes, StreamAnswer& answer) {
  answer = StreamAnswer();
  Fields message(bytes);
  while (message.Next()) {
    if (message.field() == kErrorMessage) {
      answer.error = message.value();
    } else if (message.field() == kInferResponse) {
      answer.response = message.value();
    }
  }
  Fields response(answer.response);
  while (response.Next()) {
    switch (response.field()) {
      case kId:
        answer.id = response.value();
        break;
      case kParameters:
        ReadParameter(response.value(), answer);
        break;
      case kOutputs:
      case kRawOutputs:
        answer.has_outputs = true;
        break;
      default:
        break;
    }
  }
  return !message.broken() && !response.broken();
}

}  // namespace headrace::load
