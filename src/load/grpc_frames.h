// The messages of a gRPC stream, from the bytes of its body as they come.
#ifndef HEADRACE_LOAD_GRPC_FRAMES_H_
#define HEADRACE_LOAD_GRPC_FRAMES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::load {

// One message. `bytes` are its first ones, as many as are kept.
struct GrpcFrame {
  std::string_view bytes;
  std::size_t byte_size = 0;  // of all of it
  bool compressed = false;
};

// One thread.
class GrpcFrames {
 public:
  // Bytes of each message that are kept for whoever looks at it: 0 counts messages and drops them.
  explicit GrpcFrames(std::size_t kept_byte_size_max = 0) : kept_max_(kept_byte_size_max) {}

  void Reset(std::size_t kept_byte_size_max) {
    kept_max_ = kept_byte_size_max;
    head_byte_size_ = 0;
    left_ = 0;
    kept_.clear();
  }
  // Calls `take(const GrpcFrame&)` for each message that is whole with `bytes`. A message that lies
  // in them whole is not copied. False: this is no gRPC.
  template <typename Take>
  bool Feed(std::string_view bytes, Take take) {
    while (!bytes.empty()) {
      if (head_byte_size_ < head_.size()) {
        const std::size_t part = std::min(bytes.size(), head_.size() - head_byte_size_);
        std::copy_n(bytes.data(), part, head_.data() + head_byte_size_);
        bytes.remove_prefix(part);
        head_byte_size_ += part;
        if (head_byte_size_ < head_.size()) {
          return true;
        }
        if (static_cast<unsigned char>(head_[0]) > 1) {
          return false;
        }
        left_ = byte_size_ = Length();
        kept_.clear();
      }
      const std::string_view part = bytes.substr(0, left_);
      bytes.remove_prefix(part.size());
      left_ -= part.size();
      const bool at_once = part.size() == byte_size_;
      if (!at_once && kept_.size() < kept_max_) {
        kept_.append(part.substr(0, kept_max_ - kept_.size()));
      }
      if (left_ == 0) {
        head_byte_size_ = 0;
        take(GrpcFrame{at_once ? part.substr(0, kept_max_) : std::string_view(kept_), byte_size_,
                       head_[0] == 1});
      }
    }
    return true;
  }
  // No message is cut.
  bool at_boundary() const { return head_byte_size_ == 0; }

 private:
  std::size_t Length() const {
    std::size_t length = 0;
    for (std::size_t i = 1; i < head_.size(); ++i) {
      length = length << 8 | static_cast<unsigned char>(head_[i]);
    }
    return length;
  }

  std::size_t kept_max_;
  std::array<char, 5> head_{};
  std::size_t head_byte_size_ = 0;  // of head_ that has come
  std::size_t byte_size_ = 0;       // of the message
  std::size_t left_ = 0;            // of it, to come
  std::string kept_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_FRAMES_H_
