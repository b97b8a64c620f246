// How long executions take: measured s(b) for each variant and shape, and what follows from it.
#ifndef HEADRACE_TUNE_SERVICE_TIMES_H_
#define HEADRACE_TUNE_SERVICE_TIMES_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/simulator/random.h"
#include "tune/configuration.h"
#include "tune/prober.h"
#include "tune/service_fit.h"
#include "tune/usl.h"

namespace headrace::tune {

// A value type.
class ServiceTimes {
 public:
  struct Key {
    std::string variant{};
    Shape shape{};
    auto operator<=>(const Key&) const = default;
  };
  using Column = std::map<std::int64_t, ServiceSample>;  // by batch

  void Add(const Key& key, std::int64_t batch, ServiceSample sample) {
    columns_[key].insert_or_assign(batch, std::move(sample));
  }
  const std::map<Key, Column>& columns() const { return columns_; }
  // Null where it was not measured.
  const ServiceSample* Find(const Key& key, std::int64_t batch) const;
  const Column* FindColumn(const Key& key) const;

  // What a single request of the variant takes without any load, of all its shapes the least:
  // nothing is lighter. kNever = it was not measured.
  Nanos LoneRequest(const std::string& variant) const;
  // Inferences per second that the shape's instances can give with batches up to `batch_max`: of
  // its measured sizes the best. 0 = nothing is known.
  double Ceiling(const Key& key, std::int64_t batch_max) const;
  ServiceFit Fit(const Key& key) const;
  // Of the variant's shapes with so many threads each, at their best batch of those that all have.
  Usl Scaling(const std::string& variant, int threads) const;

  // Draws the time of one execution, `factor` times as long as it was measured. Sizes between two
  // that were measured are in proportion between them; beyond the largest the fit goes on. Refers
  // to this table.
  std::function<Nanos(std::int64_t, engine::simulator::Random&)> Sampler(const Key& key,
                                                                         double factor) const;

 private:
  std::map<Key, Column> columns_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SERVICE_TIMES_H_
