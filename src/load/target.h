// Where load goes, and how it gets there.
#ifndef HEADRACE_LOAD_TARGET_H_
#define HEADRACE_LOAD_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace headrace::load {

enum class Protocol : std::uint8_t {
  kV2Http,       // KServe v2 / Triton over HTTP/1.1
  kV2Grpc,       // the same over gRPC: ModelInfer, or ModelStreamInfer where `streaming`
  kTorchServe,   // POST /predictions/{model}[/{version}]
  kV1,           // POST /v1/models/{model}:predict
  kInvocations,  // POST /invocations (SageMaker)
  kRawHttp,      // any path, any body
  kInProcess,    // a server in this process, through the C interface
};

struct TlsFiles {
  bool enabled = false;
  bool verify_peer = true;
  bool verify_host = true;
  std::string ca_file, certificate_file, key_file;  // PEM; empty = the system's, or none
};

struct TargetSpec {
  Protocol protocol = Protocol::kV2Http;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  std::string unix_socket;                                   // a path; in place of host and port
  std::string path;                                          // kRawHttp: the request target
  std::vector<std::pair<std::string, std::string>> headers;  // added to each request
  TlsFiles tls;
  bool streaming = false;    // gRPC: one bidirectional stream for each connection
  bool binary_input = true;  // v2 HTTP: tensors behind the JSON head
  bool binary_output = true;
  // HTTP: each request has an id of its own (v2: `id`, else the header X-Request-Id), so that it
  // can be found in the server's logs and traces.
  bool request_ids = false;
  std::string grpc_compression;  // "", "gzip" or "deflate"
  enum class SharedMemory : std::uint8_t { kNone, kSystem } shared_memory = SharedMemory::kNone;
  std::size_t output_shared_memory_byte_size = 102'400;  // for each output
  // HTTP: a request that finds no free connection opens one until its sender has so many, then
  // waits for one (the report says so). gRPC: connections over which streams are spread, 0 = one
  // per sender.
  int connections_max = 1024;
  Nanos connect_timeout = 5 * kSecond;
  Nanos request_timeout = 60 * kSecond;
  // kInProcess: where models lie, and the library ("" = this program's own entries).
  std::vector<std::string> model_repositories;
  std::string server_library;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TARGET_H_
