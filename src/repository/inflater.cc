#include "repository/inflater.h"

namespace headrace::repository {

Inflater::Inflater(Format format) {
  constexpr int kGzipOnly = 16;
  ready_ =
      inflateInit2(&stream_, format == Format::kRaw ? -MAX_WBITS : MAX_WBITS + kGzipOnly) == Z_OK;
}

Inflater::~Inflater() {
  if (ready_) {
    inflateEnd(&stream_);
  }
}

void Inflater::Feed(std::span<const char> input) {
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));  // zlib only reads
  stream_.avail_in = static_cast<uInt>(input.size());
}

Result<std::size_t> Inflater::Read(std::span<char> output) {
  if (!ready_) {
    return Internal("no memory to unpack an archive");
  }
  if (done_) {
    return std::size_t{0};
  }
  stream_.next_out = reinterpret_cast<Bytef*>(output.data());
  stream_.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&stream_, Z_NO_FLUSH);
  done_ = result == Z_STREAM_END;
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
    return InvalidArgument("the archive is damaged: {}",
                           stream_.msg != nullptr ? stream_.msg : "its data cannot be unpacked");
  }
  return output.size() - stream_.avail_out;
}

}  // namespace headrace::repository
