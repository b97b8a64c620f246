// The file that bench, its suites, tune and optimize write and read: one schema for all of them.
//
// A document holds levels. Each of them keeps its histograms, so that intervals can be computed
// again and runs can be merged. What a kind of its own needs beside that is `extension`.
#ifndef HEADRACE_BENCH_RESULT_JSON_H_
#define HEADRACE_BENCH_RESULT_JSON_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/environment.h"
#include "bench/level.h"

namespace headrace::protocol {
class JsonWriter;
}  // namespace headrace::protocol

namespace headrace::bench {

// Grows when a field changes its meaning or goes; a new field does not count. Readers refuse a
// higher one by name.
inline constexpr int kResultSchemaVersion = 1;

struct TargetDescription {
  std::string protocol;  // "v2 http", "v2 grpc", "torchserve", ...
  std::string address;   // "127.0.0.1:8000", "unix:/path", "in process"
  // What else matters: "streaming", "json tensors", "shared memory", "gzip". "" = nothing.
  std::string options;
};

struct ItemDescription {
  std::string name, model, version, platform;
  std::string model_hash;  // of the configuration as the server gave it (xxh3, hex); "" = not known
  double weight = 1;
  std::int64_t batch_size = 1;
  std::uint64_t content_count = 0;
  std::string inputs;  // "INPUT0 FP32 [1,16]; ..." of the first content
};

struct ResultDocument {
  std::string kind = "run";  // "run", "capacity", "suite", "tune", "optimize"
  std::string name;          // the suite's, or what --name says
  std::string started_at;    // RFC 3339, UTC
  std::vector<std::string> command_line;
  std::uint64_t seed = 0;
  bool interrupted = false;  // Ctrl-C, or the server went away: what is here is what is known
  Environment environment;
  TargetDescription target;
  std::vector<ItemDescription> workload;
  // Points of a suite are told apart by `spec.labels`. Records are never written.
  std::vector<LevelResult> levels;
  std::string extension;  // a JSON value of the kind's own; "" = none
};

std::string ToJson(const ResultDocument& document);
// INVALID_ARGUMENT names the field; FAILED_PRECONDITION: the schema is newer than this program.
Result<ResultDocument> ParseResult(std::string_view json);

// "-" is the standard output. A file is replaced in one step.
Status WriteResultFile(const std::string& path, const ResultDocument& document);
// Messages begin with the path. Files of more than 1 GiB are refused.
Result<ResultDocument> ReadResultFile(const std::string& path);

// Parts of it, for events (--ndjson), resumed suites and other documents.
void WriteLevel(protocol::JsonWriter& json, const LevelResult& level);
Result<LevelResult> ParseLevel(std::string_view json);
void WriteEnvironment(protocol::JsonWriter& json, const Environment& environment);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_RESULT_JSON_H_
