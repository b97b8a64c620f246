#include "net/gather_output.h"

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace headrace::net {
namespace {

constexpr std::size_t kCopiedByteSizeMax = 1024;
constexpr std::size_t kVectorCountMax = 64;

}  // namespace

void GatherOutput::Borrow(std::string& memory) {
  HEADRACE_CHECK(empty());
  if (bytes_.capacity() < memory.capacity()) {
    bytes_.swap(memory);
  }
  bytes_.clear();
}

void GatherOutput::GiveBack(std::string& memory) {
  HEADRACE_CHECK(empty());
  if (memory.capacity() < bytes_.capacity()) {
    bytes_.swap(memory);
  }
  // Idle connections hold no memory.
  bytes_ = std::string();
}

void GatherOutput::AppendBytes(std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  if (pieces_.size() > first_ && pieces_.back().buffer.empty()) {
    pieces_.back().byte_size += bytes.size();
  } else {
    pieces_.push_back({Buffer(), bytes_.size(), bytes.size()});
  }
  bytes_.append(bytes);
  byte_size_ += bytes.size();
}

void GatherOutput::AppendBuffer(const Buffer& buffer) {
  if (buffer.size() <= kCopiedByteSizeMax) {
    AppendBytes(buffer.view());
    return;
  }
  pieces_.push_back({buffer, 0, buffer.size()});
  byte_size_ += buffer.size();
}

GatherOutput::Progress GatherOutput::Write(ByteStream& stream) {
  Progress progress{Outcome::kDone, 0};
  while (byte_size_ > 0) {
    std::array<iovec, kVectorCountMax> vectors;
    std::size_t count = 0;
    std::size_t offered = 0;
    for (std::size_t i = first_; i < pieces_.size() && count < vectors.size(); ++i) {
      const Piece& piece = pieces_[i];
      const char* base = piece.buffer.empty() ? bytes_.data() : piece.buffer.view().data();
      vectors[count++] = {const_cast<char*>(base) + piece.offset, piece.byte_size};
      offered += piece.byte_size;
    }
    const ssize_t written = stream.Send({vectors.data(), count});
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0 && errno != EAGAIN) {
      progress.outcome = Outcome::kFailed;
      return progress;
    }
    const auto some = static_cast<std::size_t>(written < 0 ? 0 : written);
    progress.byte_size += some;
    Forget(some);
    if (some < offered) {
      progress.outcome = Outcome::kBlocked;
      return progress;
    }
  }
  return progress;
}

void GatherOutput::Forget(std::size_t written) {
  byte_size_ -= written;
  while (first_ < pieces_.size() && written >= pieces_[first_].byte_size) {
    written -= pieces_[first_].byte_size;
    pieces_[first_++].buffer = Buffer();
  }
  if (byte_size_ == 0) {
    Clear();
    return;
  }
  pieces_[first_].offset += written;
  pieces_[first_].byte_size -= written;
}

void GatherOutput::Clear() {
  pieces_.clear();
  bytes_.clear();
  first_ = byte_size_ = 0;
}

}  // namespace headrace::net
