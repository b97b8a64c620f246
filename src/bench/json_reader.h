// Reads members of JSON objects into fields, with the path of what is wrong. The .cc files of this
// folder only.
#ifndef HEADRACE_BENCH_JSON_READER_H_
#define HEADRACE_BENCH_JSON_READER_H_

#include <simdjson.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace headrace::bench {

// One object. A member that is missing, or null, leaves its field as it is; one of another type is
// an error, and the first error of a document is kept. Copies share the error.
class JsonReader {
 public:
  // `status` outlives the reader.
  JsonReader(simdjson::dom::element element, std::string path, Status& status);

  bool ok() const { return status_.ok(); }
  const std::string& path() const { return path_; }

  void Read(std::string_view name, std::string& field) const;
  void Read(std::string_view name, bool& field) const;
  void Read(std::string_view name, double& field) const;
  void Read(std::string_view name, std::int64_t& field) const;
  void Read(std::string_view name, std::uint64_t& field) const;
  void Read(std::string_view name, int& field) const;
  template <typename T>
  void Read(std::string_view name, std::optional<T>& field) const {
    if (Member(name)) {
      Read(name, field.emplace());
    }
  }

  // Calls `read` with the member's object, if there is one.
  void Object(std::string_view name, const std::function<void(const JsonReader&)>& read) const;
  // Calls `read` with each element of an array of objects.
  void Each(std::string_view name, const std::function<void(const JsonReader&)>& read) const;
  // Calls `read` with each member of an object: its name, and the reader over this object.
  void EachMember(std::string_view name,
                  const std::function<void(std::string_view, const JsonReader&)>& read) const;
  // Calls `read` with each number of an array.
  void EachInt(std::string_view name, const std::function<void(std::int64_t)>& read) const;
  void EachString(std::string_view name, const std::function<void(std::string_view)>& read) const;
  // The member's own text, as it would be written without blanks; "" where it is missing.
  std::string Text(std::string_view name) const;

  void Fail(std::string_view name, std::string_view what) const;

 private:
  std::optional<simdjson::dom::element> Member(std::string_view name) const;
  std::optional<simdjson::dom::array> Array(std::string_view name) const;

  simdjson::dom::object object_;
  bool is_object_ = false;
  std::string path_;
  Status& status_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_JSON_READER_H_
