// The library's header needs what <cstdio> declares.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <vector>

#include "image/formats.h"

namespace headrace::image {
namespace {

// A small file may hold any number of scans over a large image, each of which costs as much as
// decoding it.
constexpr int kScanCountMax = 500;
constexpr int kCmykComponents = 4;

// The library leaves a failed call by longjmp: each method that calls it has a landing place of its
// own, and no object in its frame that would need a destructor.
class JpegReader {
 public:
  explicit JpegReader(Bytes data) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = &OnError;
    errors_.emit_message = [](j_common_ptr, int) {};  // damage that it can go on behind, as Pillow
    errors_.output_message = [](j_common_ptr) {};
    info_.client_data = this;
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(data.data());
    source_.bytes_in_buffer = data.size();
    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = &OnEnd;
    source_.skip_input_data = &OnSkip;
    source_.resync_to_restart = &jpeg_resync_to_restart;
    progress_.progress_monitor = &OnProgress;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() {
    if (created_) {
      jpeg_destroy_decompress(&info_);
    }
  }

  bool ReadHeader() {
    if (setjmp(landing_) != 0) {
      return false;
    }
    jpeg_create_decompress(&info_);
    created_ = true;
    info_.client_data = this;
    info_.src = &source_;
    info_.progress = &progress_;
    (void)jpeg_read_header(&info_, TRUE);
    return true;
  }

  // Pillow's settings are the library's defaults: accurate integer DCT, fancy upsampling.
  bool Start() {
    if (setjmp(landing_) != 0) {
      return false;
    }
    info_.out_color_space = info_.num_components == kCmykComponents ? JCS_CMYK : JCS_RGB;
    (void)jpeg_start_decompress(&info_);
    return true;
  }

  bool ReadRow(std::uint8_t* row) {
    if (setjmp(landing_) != 0) {
      return false;
    }
    JSAMPROW rows[] = {row};
    return jpeg_read_scanlines(&info_, rows, 1) == 1;
  }

  const jpeg_decompress_struct& info() const { return info_; }
  bool has_many_scans() { return jpeg_has_multiple_scans(&info_) != FALSE; }
  Status Fault() const {
    return cut_short_ ? InvalidArgument("the JPEG image is cut short")
                      : InvalidArgument("the JPEG image is damaged: {}", message_);
  }

 private:
  static JpegReader& Of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

  [[noreturn]] static void OnError(j_common_ptr info) {
    JpegReader& self = Of(info);
    (*info->err->format_message)(info, self.message_);
    longjmp(self.landing_, 1);
  }
  static boolean OnEnd(j_decompress_ptr info) {
    JpegReader& self = Of(reinterpret_cast<j_common_ptr>(info));
    self.cut_short_ = true;
    longjmp(self.landing_, 1);
  }
  static void OnSkip(j_decompress_ptr info, long count) {
    JpegReader& self = Of(reinterpret_cast<j_common_ptr>(info));
    if (count <= 0) {
      return;
    }
    if (static_cast<unsigned long>(count) > self.source_.bytes_in_buffer) {
      OnEnd(info);
    }
    self.source_.next_input_byte += count;
    self.source_.bytes_in_buffer -= static_cast<std::size_t>(count);
  }
  static void OnProgress(j_common_ptr info) {
    JpegReader& self = Of(info);
    if (self.info_.input_scan_number > kScanCountMax) {
      std::snprintf(self.message_, sizeof self.message_, "it has more than %d scans",
                    kScanCountMax);
      longjmp(self.landing_, 1);
    }
  }

  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_source_mgr source_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf landing_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
  bool created_ = false;
  bool cut_short_ = false;
};

std::uint8_t MultiplyDivide255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

// Adobe's inverted CMYK, which Pillow takes all of them for, as Pillow converts it.
void ConvertCmyk(const std::uint8_t* cmyk, std::size_t width, std::uint8_t* rgb) {
  for (std::size_t x = 0; x < width; ++x, cmyk += kCmykComponents, rgb += 3) {
    const unsigned white = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      rgb[c] = static_cast<std::uint8_t>(white - MultiplyDivide255(255u - cmyk[c], white));
    }
  }
}

}  // namespace

Status DecodeJpeg(Bytes data, const DecodeOptions& options, RowConsumer& consumer) {
  JpegReader reader(data);
  if (!reader.ReadHeader()) {
    return reader.Fault();
  }
  const jpeg_decompress_struct& info = reader.info();
  const std::size_t width = info.image_width;
  HEADRACE_RETURN_IF_ERROR(CheckDimensions(width, info.image_height, options));
  const int components = info.num_components;
  if (components != 1 && components != 3 && components != kCmykComponents) {
    return InvalidArgument("the JPEG image has {} components; 1, 3 or 4 can be read", components);
  }
  MemoryCharge charge;
  if (reader.has_many_scans()) {
    // All coefficients, two bytes each.
    HEADRACE_ASSIGN_OR_RETURN(
        charge, MemoryCharge::Take(options, std::uint64_t{2} * width * info.image_height *
                                                static_cast<unsigned>(components)));
  }
  if (!reader.Start()) {
    return reader.Fault();
  }
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(info.image_width, info.image_height));
  const bool cmyk = components == kCmykComponents;
  std::vector<std::uint8_t> row(width * (cmyk ? 4 : 3) + kRowPadding);
  std::vector<std::uint8_t> converted(cmyk ? width * 3 + kRowPadding : 0);
  for (std::uint32_t y = 0; y < info.image_height; ++y) {
    if (!reader.ReadRow(row.data())) {
      return reader.Fault();
    }
    if (cmyk) {
      ConvertCmyk(row.data(), width, converted.data());
    }
    consumer.Row(cmyk ? converted.data() : row.data());
  }
  return OkStatus();
}

}  // namespace headrace::image
