// A pull reader of one JSON document whose root is an object: the door to the JSON library
// (simdjson On-Demand), which is seen by json_cursor.cc only.
//
// The document is read in place, once, from front to back, without recursion. The library's first
// pass checks UTF-8, closed strings and control bytes over the whole of it; what the caller does
// not read it passes to Skip, which checks the rest. Errors stick: after the first, every call
// returns false and `status()` says why, so loops need no checks of their own.
//
//   cursor.Open(text, 64);
//   for (std::string_view key; cursor.NextField(key);) {
//     if (key == "id") cursor.ReadString(id); else cursor.Skip();
//   }
//   cursor.Close();
//   return cursor.status();
//
// Refused beyond the grammar: nesting deeper than the limit, equal keys in one object, lone
// surrogates, more than kMemberCountMax keys in one object. Not thread-safe; one cursor is reused
// for many documents.
#ifndef HEADRACE_PROTOCOL_JSON_CURSOR_H_
#define HEADRACE_PROTOCOL_JSON_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace headrace::protocol {

enum class JsonType : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull, kInvalid };

class JsonCursor {
 public:
  static constexpr std::size_t kMemberCountMax = 4096;
  // Bytes behind the document that must be readable.
  static constexpr std::size_t kPadding = 64;

  JsonCursor();
  ~JsonCursor();

  // Starts a document and enters its root object, which counts as the first level of `depth_max`.
  // `json` must outlive the reading and be followed by kPadding readable bytes of any content.
  bool Open(std::string_view json, std::size_t depth_max);
  // After the root object's last field: checks that nothing follows.
  bool Close();

  // The next member of the object entered last: its value becomes the current one. False at the
  // object's end (which leaves it) or after an error. `key` is valid until the next Open.
  bool NextField(std::string_view& key);
  // The next element of the array entered last, likewise.
  bool NextElement();

  // The current value; each is read once, or skipped. A value of another type is an error that
  // `is_type_error` tells apart.
  JsonType Type() const;
  bool EnterObject();
  bool EnterArray();
  bool ReadString(std::string_view& value);  // valid until the next Open
  bool ReadBool(bool& value);
  bool ReadUint(std::uint64_t& value);
  bool ReadInt(std::int64_t& value);
  bool ReadDouble(double& value);
  // Whether the current value, a number, has neither fraction nor exponent.
  bool IsInteger() const;
  // Passes over the value, checking all of it.
  bool Skip();
  // Passes over an array by counting its brackets. `text` begins with the array; the caller must
  // check it, with `nesting_left()` levels to go. For arrays that are read by a reader of their
  // own.
  bool SkipUncheckedArray(std::string_view& text);
  std::size_t nesting_left() const;  // levels that may still be opened inside the current one

  // Undoes the escapes of a string whose first byte behind the opening quote is `text`, in the
  // current document. Writes to `out`, where as many bytes as the escaped form has, and 64 more,
  // must be writable. Null if an escape is invalid.
  char* Unescape(const char* text, char* out);

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  bool is_type_error() const { return type_error_; }
  // Ends the reading: `reason` is about the byte at `place` inside the document.
  bool FailSyntax(std::string_view reason, const char* place);
  bool Fail(Status status);

  // Gives memory back when a document was large; ends the validity of everything read.
  void Trim();

 private:
  class Impl;
  bool FailType(std::string_view actual_and_wanted);
  bool SkipScalar();

  std::unique_ptr<Impl> impl_;
  Status status_;
  bool type_error_ = false;
};

// "failed to parse the request JSON buffer: <reason> at <offset>": Triton's words for what is not
// JSON.
Status JsonSyntaxError(std::string_view reason, std::size_t offset);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_JSON_CURSOR_H_
