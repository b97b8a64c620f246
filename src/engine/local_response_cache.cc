#include "engine/local_response_cache.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "engine/signature.h"

namespace headrace::engine {
namespace {

constexpr std::size_t kAlignment = 64;  // as backends and clients' tensors have it
// What an entry takes beside its bytes: list and hash nodes, the objects themselves.
constexpr std::size_t kEntryByteSize = 256;

std::size_t Aligned(std::size_t byte_size) {
  return (byte_size + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t PayloadByteSize(const InferResponse& response) {
  std::size_t total = 0;
  for (const NamedTensor& output : response.outputs) {
    total += Aligned(output.tensor.byte_size());
  }
  return total;
}

std::size_t OverheadByteSize(const InferResponse& response) {
  std::size_t total = kEntryByteSize;
  for (const NamedTensor& output : response.outputs) {
    total += sizeof(NamedTensor) + output.name.size();
  }
  for (const Parameter& parameter : response.parameters) {
    total += sizeof(Parameter) + parameter.name.size();
    if (const auto* text = std::get_if<std::string>(&parameter.value)) {
      total += text->size();
    }
  }
  return total;
}

// The response in one block of memory of its own; nothing if there is none.
std::optional<InferResponse> Copy(const InferResponse& response, std::size_t payload_byte_size) {
  const std::shared_ptr<std::byte> memory(static_cast<std::byte*>(std::aligned_alloc(
                                              kAlignment, std::max(payload_byte_size, kAlignment))),
                                          &std::free);
  if (memory == nullptr) {
    return std::nullopt;
  }
  InferResponse copy{.outputs = {}, .parameters = response.parameters};
  copy.outputs.reserve(response.outputs.size());
  std::size_t offset = 0;
  for (const NamedTensor& output : response.outputs) {
    std::byte* const begin = memory.get() + offset;
    std::byte* end = begin;
    for (std::size_t i = 0; i < output.tensor.fragment_count(); ++i) {
      const Buffer& fragment = output.tensor.fragment(i);
      if (!fragment.empty()) {
        std::memcpy(end, fragment.data(), fragment.size());
        end += fragment.size();
      }
    }
    NamedTensor kept{.name = output.name, .tensor = {}};
    kept.tensor.dtype = output.tensor.dtype;
    kept.tensor.shape = output.tensor.shape;
    kept.tensor.data = Buffer::Shared(memory, begin, output.tensor.byte_size());
    copy.outputs.push_back(std::move(kept));
    offset += Aligned(output.tensor.byte_size());
  }
  return copy;
}

bool InGpuMemory(const InferResponse& response) {
  return std::any_of(response.outputs.begin(), response.outputs.end(), [](const auto& output) {
    return output.tensor.memory_kind == MemoryKind::kGpu;
  });
}

}  // namespace

LocalResponseCache::LocalResponseCache(std::size_t byte_size_max)
    : byte_size_max_(byte_size_max), key_seed_(ModelSignature::DrawShapeKeySeed()) {}

std::optional<InferResponse> LocalResponseCache::Lookup(const CacheKey& key) {
  const Nanos start = Clock::Real().Now();
  std::lock_guard lock(mutex_);
  ++figures_.lookups;
  const auto found = index_.find(key);
  std::optional<InferResponse> response;
  if (found != index_.end()) {
    ++figures_.hits;
    entries_.splice(entries_.begin(), entries_, found->second);
    response = found->second->response;
  }
  figures_.lookup_ns += static_cast<std::uint64_t>(Clock::Real().Now() - start);
  return response;
}

void LocalResponseCache::Insert(const CacheKey& key, const InferResponse& response) {
  const Nanos start = Clock::Real().Now();
  const std::size_t payload = PayloadByteSize(response);
  const std::size_t byte_size = payload + OverheadByteSize(response);
  if (byte_size > byte_size_max_ || InGpuMemory(response)) {
    return;
  }
  std::optional<InferResponse> copy = Copy(response, payload);
  if (!copy) {
    return;
  }
  Entries fresh;
  fresh.push_back({.key = key, .response = *std::move(copy), .byte_size = byte_size});
  Entries gone;  // freed when nobody waits for the lock
  std::lock_guard lock(mutex_);
  if (const auto found = index_.find(key); found != index_.end()) {
    figures_.byte_size -= found->second->byte_size;
    gone.splice(gone.begin(), entries_, found->second);
    index_.erase(found);
  }
  MakeRoom(byte_size, gone);
  entries_.splice(entries_.begin(), fresh);
  index_.emplace(key, entries_.begin());
  figures_.byte_size += byte_size;
  figures_.insertion_ns += static_cast<std::uint64_t>(Clock::Real().Now() - start);
}

void LocalResponseCache::MakeRoom(std::size_t byte_size, Entries& out) {
  while (figures_.byte_size > byte_size_max_ - byte_size) {
    const auto oldest = std::prev(entries_.end());
    figures_.byte_size -= oldest->byte_size;
    ++figures_.evictions;
    index_.erase(oldest->key);
    out.splice(out.begin(), entries_, oldest);
  }
}

LocalResponseCache::Figures LocalResponseCache::figures() const {
  std::lock_guard lock(mutex_);
  Figures figures = figures_;
  figures.entry_count = entries_.size();
  return figures;
}

void LocalResponseCache::Collect(telemetry::PrometheusWriter& writer) const {
  const Figures now = figures();
  const auto gauge = [&writer](std::string_view name, std::string_view help, double value) {
    writer.Family(name, telemetry::MetricKind::kGauge, help);
    writer.Sample({}, value);
  };
  gauge("nv_cache_util", "Cache utilization [0.0 - 1.0]",
        static_cast<double>(now.byte_size) / static_cast<double>(byte_size_max_));
  gauge("nv_cache_num_entries", "Number of responses stored in response cache",
        static_cast<double>(now.entry_count));
  gauge("nv_cache_num_lookups", "Number of cache lookups in response cache",
        static_cast<double>(now.lookups));
  gauge("nv_cache_num_hits", "Number of cache hits in response cache",
        static_cast<double>(now.hits));
  gauge("nv_cache_num_misses", "Number of cache misses in response cache",
        static_cast<double>(now.lookups - now.hits));
  gauge("nv_cache_num_evictions", "Number of cache evictions in response cache",
        static_cast<double>(now.evictions));
  gauge("nv_cache_lookup_duration", "Total cache lookup duration (hit and miss), in microseconds",
        static_cast<double>(now.lookup_ns / 1000));
  gauge("nv_cache_insertion_duration", "Total cache insertion duration, in microseconds",
        static_cast<double>(now.insertion_ns / 1000));
}

}  // namespace headrace::engine
