// Appends JSON to a string.
#ifndef HEADRACE_PROTOCOL_JSON_WRITER_H_
#define HEADRACE_PROTOCOL_JSON_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::protocol {

// Streaming writer; puts commas by itself. Strings are escaped; bytes that are not UTF-8 become
// U+FFFD. The caller keeps begin and end in balance.
//
//   JsonWriter json(out);
//   json.BeginObject().Key("name").String("x").Key("n").Int(3).EndObject();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(std::int64_t value);
  JsonWriter& Uint(std::uint64_t value);
  // Shortest form that reads back equal, always with a fraction or an exponent ("1.0"). NaN and
  // infinities, which JSON lacks, become null.
  JsonWriter& Double(double value);
  JsonWriter& Float(float value);
  JsonWriter& Bool(bool value);
  JsonWriter& Raw(std::string_view json);  // a complete value, as it is

 private:
  void Separate();
  std::string& out_;
  bool needs_comma_ = false;
};

// Room that WriteNumber needs.
inline constexpr std::size_t kNumberByteSizeMax = 40;
// Writes `value` as JsonWriter does and returns the end of what was written. For whole arrays,
// where a string append for each element would cost as much as the conversion.
char* WriteNumber(char* out, double value);
char* WriteNumber(char* out, float value);

// `{"error":"<message>"}`
std::string ErrorJson(std::string_view message);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_JSON_WRITER_H_
