#include "server/option_rows.h"

namespace headrace::server {

void AppendNativeOptions(std::vector<Option>& options) {
  constexpr std::uint64_t kByteSizeMax = std::uint64_t{1} << 40;
  options.push_back(Bool("native-handlers", "Models", &ServerConfig::native_handlers,
                         "Serve archives of TorchServe's default handlers without Python where "
                         "they bring no code and their weights are TorchScript or a package of "
                         "AOTInductor; false: by Python workers."));
  options.push_back(Number("cpu-thread-count", "Models", &ServerConfig::cpu_thread_count, "COUNT",
                           {0, 1024},
                           "Threads that read the requests of native handlers (decode images). "
                           "0: one for each core."));
  options.push_back(Number("cpu-waiting-max", "Limits", &ServerConfig::cpu_waiting_max, "COUNT",
                           {1, 1'000'000},
                           "Requests that wait for those threads; beyond it they are refused."));
  options.push_back(Number("image-pixel-count-max", "Limits", &ServerConfig::image_pixel_count_max,
                           "PIXELS", {1, std::uint64_t{1} << 32},
                           "Pixels of an image that a native handler decodes."));
  options.push_back(Number("image-memory-bytes-max", "Limits",
                           &ServerConfig::image_memory_byte_size_max, "BYTES", {1, kByteSizeMax},
                           "Memory of decoders of images beside an image's rows, all together."));
}

}  // namespace headrace::server
