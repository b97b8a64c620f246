// Unpacks a deflate or gzip stream piece by piece.
#ifndef HEADRACE_REPOSITORY_INFLATER_H_
#define HEADRACE_REPOSITORY_INFLATER_H_

#include <zlib.h>

#include <cstddef>
#include <span>

#include "base/result.h"

namespace headrace::repository {

// Not thread-safe. The first failure is final.
class Inflater {
 public:
  enum class Format { kRaw, kGzip };
  explicit Inflater(Format format);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // The next input; it must live until Read has taken all of it, as `input_byte_size` tells.
  void Feed(std::span<const char> input);
  std::size_t input_byte_size() const { return stream_.avail_in; }
  // Unpacks into `output` as much as there is; 0 when more input is needed, or the stream is at its
  // end. INVALID_ARGUMENT if it is damaged.
  Result<std::size_t> Read(std::span<char> output);
  bool done() const { return done_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool done_ = false;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_INFLATER_H_
