// What one image costs before the model, decoded, resized, cropped and normalised as
// image_classifier does it: image_preprocess REPETITIONS FILE... For each file it prints the
// microseconds of one image, decoding alone and all of it. With REPETITIONS 0 it writes each file's
// tensor beside it, as FILE.f32.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "image/decode.h"
#include "image/resize.h"
#include "image/tensor_writer.h"

namespace {

using headrace::Status;
namespace image = headrace::image;

class NoRows final : public image::RowConsumer {
 public:
  Status Begin(std::uint32_t, std::uint32_t) override { return headrace::OkStatus(); }
  void Row(const std::uint8_t*) override {}
};

constexpr std::uint32_t kSide = 224;

Status Preprocess(std::span<const std::byte> data, const image::ChannelTables& tables,
                  std::vector<float>& tensor) {
  image::ResizeAndCrop crop(256, kSide);
  HEADRACE_RETURN_IF_ERROR(image::Decode(data, {}, crop));
  tensor.resize(std::size_t{3} * kSide * kSide);
  std::vector<std::uint8_t> row(kSide * 3);
  for (std::uint32_t y = 0; y < kSide; ++y) {
    crop.ReadRow(y, row);
    tables.WriteRow(row, kSide * kSide, tensor.data() + std::size_t{y} * kSide);
  }
  return headrace::OkStatus();
}

// The fastest of `repetitions`, in microseconds.
template <typename Work>
double FastestUs(int repetitions, Work work) {
  double fastest = 1e30;
  for (int i = 0; i < repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    fastest = std::min(fastest, took.count());
  }
  return fastest;
}

}  // namespace

int main(int argc, char** argv) {
  int repetitions = -1;
  if (argc > 2) {
    std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), repetitions);
  }
  if (repetitions < 0) {
    std::fprintf(stderr, "usage: image_preprocess REPETITIONS FILE...\n");
    return 2;
  }
  const image::ChannelTables tables({0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F});
  std::vector<float> tensor;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto data = std::as_bytes(std::span(text));
    if (const Status status = Preprocess(data, tables, tensor); !status.ok()) {
      std::fprintf(stderr, "%s: %s\n", argv[i], status.message().c_str());
      return 1;
    }
    if (repetitions == 0) {
      std::ofstream out(std::string(argv[i]) + ".f32", std::ios::binary);
      out.write(reinterpret_cast<const char*>(tensor.data()),
                static_cast<std::streamsize>(tensor.size() * sizeof(float)));
      continue;
    }
    NoRows none;
    const double decoding = FastestUs(repetitions, [&] { (void)image::Decode(data, {}, none); });
    const double all = FastestUs(repetitions, [&] { (void)Preprocess(data, tables, tensor); });
    std::printf("%s: %.0f us, of which decoding %.0f us\n", argv[i], all, decoding);
  }
  return 0;
}
