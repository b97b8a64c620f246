#include "profiling/perf_records.h"

#include <linux/perf_event.h>

#include <cstring>

namespace headrace::profiling {
namespace {

struct SampleBody {
  std::uint64_t address;
  std::uint32_t process, thread;
  std::uint64_t time;
};

struct LostBody {
  std::uint64_t event, count;
};

// Records are as long as they say, which may be longer than what is known of them.
template <typename Body>
bool ReadBody(std::span<const std::byte> body, Body& read) {
  if (body.size() < sizeof(Body)) {
    return false;
  }
  std::memcpy(&read, body.data(), sizeof(Body));
  return true;
}

bool ReadRecord(const perf_event_header& header, std::span<const std::byte> body,
                PerfRecords& read) {
  if (header.type == PERF_RECORD_SAMPLE) {
    SampleBody sample{};
    if (!ReadBody(body, sample)) {
      return false;
    }
    const bool in_kernel = (header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
    read.samples.push_back({.at = static_cast<Nanos>(sample.time),
                            .thread = sample.thread,
                            .address = in_kernel ? 0 : sample.address,
                            .in_kernel = in_kernel});
  } else if (header.type == PERF_RECORD_LOST) {
    LostBody lost{};
    if (!ReadBody(body, lost)) {
      return false;
    }
    read.lost += lost.count;
  }
  return true;
}

}  // namespace

const std::uint64_t kPerfSampleType = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME;

PerfRecords ReadPerfRecords(std::span<const std::byte> records) {
  PerfRecords read;
  while (!records.empty() && !read.damaged) {
    perf_event_header header{};
    if (!ReadBody(records, header) || header.size < sizeof(header) ||
        header.size > records.size()) {
      read.damaged = true;
      break;
    }
    read.damaged =
        !ReadRecord(header, records.subspan(sizeof(header), header.size - sizeof(header)), read);
    records = records.subspan(header.size);
  }
  return read;
}

}  // namespace headrace::profiling
