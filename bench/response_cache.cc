// What the response cache costs. Run by hand: bench_response_cache
// The key of a request by the size of its input, and a look-up and an insertion by the size of the
// response, in a cache that holds 1000 of them.
#include <fmt/format.h>

#include <string>

#include "engine/cache_key.h"
#include "engine/local_response_cache.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

template <typename Call>
double NanosecondsOf(int rounds, Call call) {
  const Nanos start = Clock::Real().Now();
  for (int i = 0; i < rounds; ++i) {
    call(static_cast<std::uint64_t>(i));
  }
  return static_cast<double>(Clock::Real().Now() - start) / rounds;
}

void Measure(std::size_t byte_size) {
  const int rounds = byte_size > 100'000 ? 500 : 20'000;
  const auto answer = std::make_shared<testing::Answer>();
  const auto request = testing::SmallRequest(nullptr, answer);
  request->inputs[0].tensor.data = Buffer::FromString(std::string(byte_size, 'x'));
  const ModelSignature signature = testing::SmallModel().signature;
  std::uint64_t sum = 0;
  const double key = NanosecondsOf(rounds, [&](std::uint64_t) {
    sum += MakeCacheKey({"", "model", 1}, signature, *request, 1)->low;
  });
  LocalResponseCache cache(1000 * (byte_size + 1024));
  InferResponse response;
  response.outputs.push_back(request->inputs[0]);
  const double insert = NanosecondsOf(
      rounds, [&](std::uint64_t i) { cache.Insert({.high = 1, .low = i % 1000}, response); });
  const double lookup = NanosecondsOf(rounds, [&](std::uint64_t i) {
    sum += cache.Lookup({.high = 1, .low = i % 1000}).has_value() ? 1 : 0;
  });
  request->Finish(OkStatus());
  fmt::print(
      "{:8} bytes: key {:9.0f} ns ({:5.1f} GB/s), insertion {:9.0f} ns, look-up {:5.0f} ns{}\n",
      byte_size, key, static_cast<double>(byte_size) / key, insert, lookup, sum == 0 ? " " : "");
}

}  // namespace
}  // namespace headrace::engine

int main() {
  for (const std::size_t byte_size :
       {std::size_t{4}, std::size_t{4096}, std::size_t{602'112}, std::size_t{8} << 20}) {
    headrace::engine::Measure(byte_size);
  }
  return 0;
}
