#include <cctype>
#include <string>

#include "server/option_rows.h"

namespace headrace::server {
namespace {

Option ClientHeader() {
  Option option = Text(
      "client-header", "Scheduling", &ServerConfig::client_header, "NAME",
      "The request header or gRPC metadata that says which client sent a request, for "
      "--fair-queues behind a proxy that sets it. Default: clients are told apart by address.");
  option.set = [](ServerConfig& config, std::string_view text) {
    std::string name;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) == 0 && c != '-' && c != '_') {
        return InvalidArgument("expected the name of a header, got '{}'", text);
      }
      name.push_back(static_cast<char>(std::tolower(byte)));
    }
    config.client_header = std::move(name);
    return OkStatus();
  };
  return option;
}

}  // namespace

void AppendSchedulingOptions(std::vector<Option>& options) {
  options.push_back(
      Bool("fair-queues", "Scheduling", &ServerConfig::fair_queues,
           "While requests of several clients wait for one model, the clients take turns, and a "
           "full queue refuses those of the client that has most in it. Off: first come, first "
           "served."));
  options.push_back(ClientHeader());
  options.push_back(Number(
      "batch-retry-credit", "Scheduling", &ServerConfig::batch_retry_credit, "COUNT",
      {0, 1'000'000},
      "A batch whose execution fails as a whole is executed again by halves, so that a request "
      "that makes it fail fails alone. An instance has so many such executions, and gets one back "
      "for each request of a batch that executes. 0: none. A model turns it off with the "
      "parameter retry_failed_batches: \"false\"."));
}

}  // namespace headrace::server
