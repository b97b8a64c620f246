#include "net/streamed_output.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace headrace::net {
namespace {

// What is handed over in one go: large enough for a good system call.
constexpr std::uint64_t kFillByteSize = 256 * 1024;

}  // namespace

void StreamedOutput::Append(Buffer piece) {
  if (piece.empty() || ended_ || coding_ == StreamCoding::kHeadOnly) {
    return;
  }
  queued_byte_size_ += piece.size();
  pieces_.push_back(std::move(piece));
}

bool StreamedOutput::Probe() {
  if (coding_ != StreamCoding::kChunked || probed_ || ended_ || !pieces_.empty()) {
    return false;
  }
  probed_ = probe_queued_ = true;
  return true;
}

void StreamedOutput::Fill() {
  output_.AppendBytes(std::exchange(head_, {}));
  if (std::exchange(probe_queued_, false)) {
    output_.AppendBytes("0");
  }
  while (!pieces_.empty() && output_.byte_size() < kFillByteSize) {
    const Buffer piece = std::move(pieces_.front());
    pieces_.pop_front();
    queued_byte_size_ -= piece.size();
    if (coding_ == StreamCoding::kChunked) {
      char size[20];
      const auto end = fmt::format_to(std::begin(size), "{:x}\r\n", piece.size());
      output_.AppendBytes({size, static_cast<std::size_t>(end - size)});
      probed_ = false;
    }
    output_.AppendBuffer(piece);
    if (coding_ == StreamCoding::kChunked) {
      output_.AppendBytes("\r\n");
    }
  }
  if (pieces_.empty() && ended_ && !end_written_) {
    end_written_ = true;
    if (coding_ == StreamCoding::kChunked) {
      output_.AppendBytes(probed_ ? "\r\n\r\n" : "0\r\n\r\n");
    }
  }
}

GatherOutput::Progress StreamedOutput::Write(ByteStream& stream) {
  GatherOutput::Progress total{GatherOutput::Outcome::kDone, 0};
  while (true) {
    if (output_.empty()) {
      Fill();
      if (output_.empty()) {
        return total;
      }
    }
    const GatherOutput::Progress progress = output_.Write(stream);
    total.byte_size += progress.byte_size;
    if (progress.outcome != GatherOutput::Outcome::kDone) {
      total.outcome = progress.outcome;
      return total;
    }
  }
}

}  // namespace headrace::net
