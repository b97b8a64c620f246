// The header block of one HTTP/2 request, as it is decoded.
#ifndef HEADRACE_NET_HTTP2_HEAD_H_
#define HEADRACE_NET_HTTP2_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/small_memory.h"

namespace headrace::net {

// nghttp2 has checked it: pseudo fields first and once, no connection fields, names in lower case,
// no control bytes. Fields past the limits are dropped and only counted.
class Http2Head {
 public:
  Http2Head() = default;
  Http2Head(std::size_t byte_size_max, std::size_t field_count_max)
      : byte_size_max_(byte_size_max), field_count_max_(field_count_max) {}

  void Add(std::string_view name, std::string_view value);
  void MarkInvalid() { invalid_ = true; }

  // Decoded, 32 bytes more for each field, those that were dropped included.
  std::size_t list_byte_size() const { return list_byte_size_; }
  bool too_large() const {
    return list_byte_size_ > byte_size_max_ || field_count_ > field_count_max_;
  }
  bool invalid() const { return invalid_; }

  // Views into this object, which must have come to its place before.
  std::string_view method() const { return View(method_); }
  std::string_view path() const { return View(path_); }
  std::string_view authority() const { return View(authority_); }
  std::string_view content_type() const { return View(content_type_); }
  std::size_t field_count() const { return fields_.size(); }
  std::pair<std::string_view, std::string_view> field(std::size_t i) const {
    return {View(fields_[i].name), View(fields_[i].value)};
  }
  // "application/grpc", with a suffix or parameters.
  bool IsGrpc() const;

 private:
  struct Part {
    std::uint32_t offset = 0;
    std::uint32_t byte_size = 0;
  };
  struct Field {
    Part name, value;
  };
  Part Store(std::string_view text);
  std::string_view View(Part part) const {
    return std::string_view(bytes_).substr(part.offset, part.byte_size);
  }

  std::size_t byte_size_max_ = 0;
  std::size_t field_count_max_ = 0;
  std::basic_string<char, std::char_traits<char>, SmallAllocator<char>> bytes_;
  std::vector<Field, SmallAllocator<Field>> fields_;  // other than pseudo fields
  Part method_, path_, authority_, content_type_;
  std::size_t list_byte_size_ = 0;
  std::size_t field_count_ = 0;
  bool invalid_ = false;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_HEAD_H_
