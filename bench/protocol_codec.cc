// Time of the v2 JSON codec by itself: what one request costs an io core before and after the
// engine.
//
//   bench_protocol_codec [seconds per line, default 0.5]
//
// Each line is the best of nine rounds, in nanoseconds per operation and in MB of JSON per second.
// One thread; everything is in cache unless the body is larger than it.
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "protocol/v2_json.h"
#include "tensor/block_pool.h"

namespace headrace::protocol {
namespace {

// Processor time of this thread, so that other programs on the machine disturb less.
double Now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double SecondsOf(const std::function<void()>& operation, std::size_t times) {
  const double start = Now();
  for (std::size_t i = 0; i < times; ++i) {
    operation();
  }
  return Now() - start;
}

void Report(const char* name, std::size_t byte_size, double seconds,
            const std::function<void()>& operation) {
  constexpr int kRounds = 9;
  std::size_t times = 1;
  while (SecondsOf(operation, times) < seconds / kRounds / 4) {
    times *= 2;
  }
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    best = std::min(best, SecondsOf(operation, times) / static_cast<double>(times));
  }
  fmt::print("{:<44} {:>12.0f} ns {:>9.1f} MB/s\n", name, best * 1e9,
             static_cast<double>(byte_size) / best / 1e6);
}

class Bodies {
 public:
  Buffer Place(std::string_view bytes) {
    MutableBuffer buffer = pool_.Allocate(bytes.size()).value();
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return std::move(buffer).Freeze();
  }
  // Parses, and encodes the first input as the response.
  void RoundTrip(const Buffer& body, std::optional<std::uint64_t> json_byte_size, bool encode) {
    Result<V2InferRequest> request =
        parser_.ParseInferRequest(body, json_byte_size, "model", limits_, pool_);
    if (!request.ok()) {
      fmt::print("failed: {}\n", request.status().message());
      std::abort();
    }
    if (encode) {
      V2InferResponse response;
      response.model_name = "model";
      response.id = request->id;
      response.outputs.push_back(
          {"OUTPUT0", &request->inputs[0].tensor, json_byte_size.has_value()});
      if (!EncodeInferResponse(response).ok()) {
        std::abort();
      }
    }
  }

 private:
  BlockPool pool_;
  V2JsonParser parser_;
  V2JsonLimits limits_;
};

std::string JsonRequest(const char* dtype, std::size_t count,
                        const std::function<std::string(std::size_t)>& element) {
  std::string json = fmt::format(
      R"({{"inputs":[{{"name":"INPUT0","shape":[{}],"datatype":"{}","data":[)", count, dtype);
  for (std::size_t i = 0; i < count; ++i) {
    json += (i == 0 ? "" : ",") + element(i);
  }
  return json + "]}]}";
}

void Run(double seconds) {
  Bodies bodies;
  const std::string binary_json =
      R"({"id":"1","inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"FP32","parameters":{"binary_data_size":64}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const Buffer binary = bodies.Place(binary_json + std::string(64, 'x'));
  Report("binary 64 B: parse", binary_json.size(), seconds,
         [&] { bodies.RoundTrip(binary, binary_json.size(), false); });
  Report("binary 64 B: parse and encode", binary_json.size(), seconds,
         [&] { bodies.RoundTrip(binary, binary_json.size(), true); });

  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> unit(-1, 1);
  const auto json_line = [&](const char* name, const std::string& json, bool encode) {
    const Buffer body = bodies.Place(json);
    Report(name, json.size(), seconds, [&] { bodies.RoundTrip(body, std::nullopt, encode); });
  };
  const std::string integers =
      JsonRequest("INT32", 16, [](std::size_t i) { return std::to_string(i * 37); });
  json_line("JSON of 16 INT32: parse", integers, false);
  json_line("JSON of 16 INT32: parse and encode", integers, true);
  const auto shortest = [&](std::size_t) { return fmt::format("{}", unit(random)); };
  const auto as_double = [&](std::size_t) {
    return fmt::format("{}", static_cast<double>(unit(random)));
  };
  const std::string floats = JsonRequest("FP32", 16, shortest);
  json_line("JSON of 16 FP32: parse", floats, false);
  json_line("JSON of 16 FP32: parse and encode", floats, true);
  constexpr std::size_t kMany = 1'000'000;
  const std::string many = JsonRequest("FP32", kMany, shortest);
  json_line("JSON of 1e6 FP32, shortest: parse", many, false);
  json_line("JSON of 1e6 FP32, shortest: parse and encode", many, true);
  json_line("JSON of 1e6 FP32 as doubles (Python): parse", JsonRequest("FP32", kMany, as_double),
            false);
  json_line("JSON of 1e6 FP64: parse", JsonRequest("FP64", kMany, as_double), false);
  json_line("JSON of 1e6 UINT8: parse",
            JsonRequest("UINT8", kMany, [](std::size_t i) { return std::to_string(i % 256); }),
            false);
  json_line("JSON of 1e5 BYTES of 16: parse",
            JsonRequest("BYTES", 100'000,
                        [](std::size_t) { return std::string("\"0123456789abcdef\""); }),
            false);
}

}  // namespace
}  // namespace headrace::protocol

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  headrace::protocol::Run(seconds > 0 ? seconds : 0.5);
  return 0;
}
