// Requests of HTTP/1.1 as text, for tests.
#ifndef HEADRACE_NET_TESTING_HTTP_TEXT_H_
#define HEADRACE_NET_TESTING_HTTP_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace headrace::net {

inline std::string Post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

inline std::string Get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

// So many bytes in which a gap or a repetition shows.
inline std::string Pattern(std::size_t byte_size) {
  std::string text(byte_size, '\0');
  for (std::size_t i = 0; i < byte_size; ++i) {
    text[i] = static_cast<char>('a' + i % 23);
  }
  return text;
}

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_HTTP_TEXT_H_
