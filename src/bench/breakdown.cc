#include "bench/breakdown.h"

#include <algorithm>

namespace headrace::bench {

std::vector<TimePart> Breakdown(const LevelResult& level, const std::string& model) {
  std::vector<TimePart> parts;
  const double response = level.response_time.mean;
  const double service = level.service_time.mean;
  parts.push_back({"client queue", std::max(0.0, response - service),
                   "from the intended send to the first byte"});
  const auto found = level.server.find(model);
  if (found == level.server.end() || found->second.success_count == 0) {
    parts.push_back({"network and server", service, "from the first byte to the whole answer"});
    return parts;
  }
  const ServerFigures& server = found->second;
  const double known = server.queue_mean + server.compute_input_mean + server.compute_infer_mean +
                       server.compute_output_mean;
  parts.push_back({"network", std::max(0.0, service - server.request_mean),
                   "both ways, with both ends' reading and writing"});
  parts.push_back({"server queue", server.queue_mean, "for a batch and an instance"});
  parts.push_back({"compute input", server.compute_input_mean, "inputs are gathered"});
  parts.push_back({"compute infer", server.compute_infer_mean, "the model runs"});
  parts.push_back({"compute output", server.compute_output_mean, "outputs are given out"});
  const double requests = static_cast<double>(server.success_count);
  const double cache = (server.cache_hit_mean * static_cast<double>(server.cache_hit_count) +
                        server.cache_miss_mean * static_cast<double>(server.cache_miss_count)) /
                       requests;
  if (server.cache_hit_count + server.cache_miss_count > 0) {
    parts.push_back({"response cache", cache, "looked up and filled"});
  }
  parts.push_back({"server other", std::max(0.0, server.request_mean - known - cache),
                   "the rest of the server's own time"});
  return parts;
}

}  // namespace headrace::bench
