#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "profiling/profile.h"

namespace headrace::profiling {
namespace {

// Above these it is worth a line.
constexpr double kShortOperatorShare = 0.3;
constexpr double kCopyShare = 0.15;
constexpr double kCoreWaitShare = 0.2;
constexpr double kBusyShare = 0.9;
constexpr double kFillShare = 0.5;
// Requests that wait at a time, in batches: those that share batches are about one, since all of
// them are in the next.
constexpr double kWaitingBatches = 2;
constexpr double kMigrationRate = 100;  // a second, of one thread that executes

double Share(Nanos part, Nanos whole) {
  return whole <= 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double Milliseconds(double nanos) { return nanos / static_cast<double>(kMillisecond); }

// Sums over all batches.
struct Sums {
  Nanos executed = 0;
  Nanos queued = 0;
  std::uint64_t requests = 0;
  std::int64_t inferences = 0;
};

Sums SumsOf(const std::vector<RecordedBatch>& batches) {
  Sums sums;
  for (const RecordedBatch& batch : batches) {
    sums.executed += batch.ended - batch.started;
    sums.inferences += batch.batch_size;
    for (const auto& request : batch.requests) {
      sums.queued += batch.started - request.queued;
      ++sums.requests;
    }
  }
  return sums;
}

void AdviseOnOperators(const Profile& profile, std::vector<Advice>& advice) {
  if (!profile.operators) {
    return;
  }
  const OperatorShares shares = SharesOf(*profile.operators);
  if (shares.short_operators > kShortOperatorShare) {
    advice.push_back(
        {"launch-bound",
         fmt::format("{:.0f} % of the operators' time is in operators of less than 10 us each: "
                     "starting them costs as much as computing. Larger batches (max_batch_size, "
                     "max_queue_delay_microseconds) or a compiled model (`headrace optimize`: "
                     "freeze and fuse, AOTInductor) give each start more work",
                     100 * shares.short_operators)});
  }
  if (shares.copies > kCopyShare) {
    advice.push_back(
        {"copies",
         fmt::format("{:.0f} % of the operators' time copies, converts or reorders tensors: look "
                     "at the layout (channels-last, prepacked weights) and at casts in the model; "
                     "`headrace optimize` tries both",
                     100 * shares.copies)});
  }
}

void AdviseOnThreads(const Profile& profile, std::vector<Advice>& advice) {
  Nanos ran = 0;
  Nanos waited = 0;
  for (const ThreadUse& use : profile.threads) {
    ran += use.time.ran;
    waited += use.time.waited;
  }
  if (Share(waited, ran + waited) > kCoreWaitShare) {
    advice.push_back(
        {"threads",
         fmt::format("threads waited for a core for {:.0f} % of the time that they could have run "
                     "({} cores): there are more of them than cores. Instances x threads of each "
                     "should not be above the cores (instance_group count, the backend's "
                     "intra-op threads), and load generators belong on other cores",
                     100 * Share(waited, ran + waited), profile.core_count)});
  }
}

// An instance's thread that is moved from core to core finds the caches of none of them filled.
void AdviseOnMigrations(const Profile& profile, std::vector<Advice>& advice) {
  std::set<std::int64_t> instances;
  for (const RecordedBatch& batch : profile.batches.batches) {
    instances.insert(batch.thread_id);
  }
  std::uint64_t most = 0;
  for (const ThreadUse& use : profile.threads) {
    most = instances.contains(use.id) ? std::max(most, use.time.migrations) : most;
  }
  const double seconds =
      static_cast<double>(profile.ended - profile.began) / static_cast<double>(kSecond);
  const double rate = seconds > 0 ? static_cast<double>(most) / seconds : 0;
  if (rate > kMigrationRate) {
    advice.push_back(
        {"migrations",
         fmt::format("a thread that executes the model changed its core {:.0f} times a second: "
                     "give each instance cores of its own (--pin-instances, or host policies)",
                     rate)});
  }
}

void AdviseOnBatches(const Profile& profile, const Sums& sums, std::vector<Advice>& advice) {
  const Nanos duration = profile.ended - profile.began;
  const auto batches = static_cast<double>(profile.batches.batches.size());
  const double fill = static_cast<double>(sums.inferences) / batches;
  const double queue_mean = static_cast<double>(sums.queued) / static_cast<double>(sums.requests);
  const double execution_mean = static_cast<double>(sums.executed) / batches;
  const double busy = Share(sums.executed, duration) / std::max(1, profile.instance_count);
  const bool waits = queue_mean > execution_mean;
  const double waiting = Share(sums.queued, duration);
  if (profile.batch_size_max > 1 && waits && waiting > kWaitingBatches * fill &&
      fill < kFillShare * static_cast<double>(profile.batch_size_max)) {
    advice.push_back(
        {"batches",
         fmt::format(
             "batches had {:.1f} of {} inferences, while {:.1f} requests waited at a time, "
             "each {:.2f} ms on average: requests of different shape do not share a batch; without "
             "dynamic_batching in the configuration none do",
             fill, profile.batch_size_max, waiting, Milliseconds(queue_mean))});
  }
  if (busy > kBusyShare) {
    advice.push_back(
        {"instances",
         fmt::format("instances executed {:.0f} % of the time: the model is at its capacity. More "
                     "instances help if cores are free (instance_group count), else a larger "
                     "batch or a faster variant; `headrace tune` finds out",
                     100 * busy)});
  }
  if (waits) {
    advice.push_back(
        {"queue", fmt::format("requests waited {:.2f} ms on average and were executed in {:.2f} "
                              "ms: most of their latency is the queue",
                              Milliseconds(queue_mean), Milliseconds(execution_mean))});
  }
}

}  // namespace

std::vector<Advice> AdviceOn(const Profile& profile) {
  std::vector<Advice> advice;
  const Sums sums = SumsOf(profile.batches.batches);
  if (sums.requests == 0) {
    advice.push_back({"traffic",
                      "no request was executed while the model was watched: send some, with "
                      "`headrace profile --concurrency N` or `headrace bench`"});
    return advice;
  }
  AdviseOnOperators(profile, advice);
  AdviseOnThreads(profile, advice);
  AdviseOnMigrations(profile, advice);
  AdviseOnBatches(profile, sums, advice);
  return advice;
}

std::vector<BatchLine> BatchTable(const std::vector<RecordedBatch>& batches) {
  struct Sum {
    BatchLine line;
    Nanos executed = 0, queued = 0;
    std::uint64_t requests = 0;
  };
  std::map<std::int64_t, Sum> sizes;
  for (const RecordedBatch& batch : batches) {
    Sum& sum = sizes[batch.batch_size];
    sum.line.batch_size = batch.batch_size;
    ++sum.line.count;
    sum.executed += batch.ended - batch.started;
    sum.line.execution_max = std::max(sum.line.execution_max, batch.ended - batch.started);
    for (const auto& request : batch.requests) {
      sum.queued += batch.started - request.queued;
      ++sum.requests;
    }
  }
  std::vector<BatchLine> table;
  for (auto& [size, sum] : sizes) {
    sum.line.execution_mean = sum.executed / static_cast<Nanos>(sum.line.count);
    sum.line.queue_mean = sum.requests == 0 ? 0 : sum.queued / static_cast<Nanos>(sum.requests);
    table.push_back(sum.line);
  }
  return table;
}

}  // namespace headrace::profiling
