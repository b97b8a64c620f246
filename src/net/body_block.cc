#include "net/body_block.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace headrace::net {
namespace {

constexpr std::uint64_t kFirstByteSize = 64 * 1024;
constexpr std::uint64_t kFirstChunkedByteSize = 4 * 1024;
constexpr std::uint64_t kGrowthFactor = 64;

std::size_t LeadFor(std::uint64_t aligned_offset) {
  return (BlockPool::kAlignment - aligned_offset % BlockPool::kAlignment) % BlockPool::kAlignment;
}

}  // namespace

void BodyBlock::StartSized(BlockPool& pool, std::uint64_t byte_size, std::uint64_t aligned_offset) {
  Reset();
  pool_ = &pool;
  lead_ = LeadFor(aligned_offset);
  expected_ = byte_size;
  chunked_ = false;
}

void BodyBlock::StartChunked(BlockPool& pool, std::uint64_t aligned_offset) {
  Reset();
  pool_ = &pool;
  lead_ = LeadFor(aligned_offset);
  chunked_ = true;
}

bool BodyBlock::Append(std::string_view bytes) {
  if (bytes.empty()) {
    return true;
  }
  if (lead_ + received_ + bytes.size() > block_.size() && !Grow(received_ + bytes.size())) {
    return false;
  }
  std::memcpy(block_.data() + lead_ + received_, bytes.data(), bytes.size());
  received_ += bytes.size();
  return true;
}

std::span<char> BodyBlock::ReceiveSpace() {
  if (!block_ || lead_ + received_ >= block_.size()) {
    return {};
  }
  const std::size_t room = std::min<std::uint64_t>(block_.size() - lead_ - received_, left());
  return {reinterpret_cast<char*>(block_.data() + lead_ + received_), room};
}

Buffer BodyBlock::Finish() {
  if (!block_) {
    return Buffer();
  }
  Buffer whole = std::move(block_).Freeze();
  Buffer body = whole.Slice(lead_, received_);
  Reset();
  return body;
}

void BodyBlock::Reset() {
  block_ = MutableBuffer();
  expected_ = received_ = 0;
}

bool BodyBlock::Grow(std::uint64_t byte_size_min) {
  std::uint64_t wanted;
  if (chunked_) {
    wanted = std::max({kFirstChunkedByteSize, byte_size_min, 2 * received_});
  } else {
    HEADRACE_CHECK(byte_size_min <= expected_);
    wanted = std::min(expected_, std::max(kFirstByteSize, kGrowthFactor * byte_size_min));
  }
  Result<MutableBuffer> grown = pool_->Allocate(lead_ + wanted);
  if (!grown.ok()) {
    return false;
  }
  if (received_ > 0) {
    std::memcpy(grown->data() + lead_, block_.data() + lead_, received_);
  }
  block_ = std::move(grown).value();
  return true;
}

}  // namespace headrace::net
