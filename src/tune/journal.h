// What was measured, line by line in a file, so that a run that ended early can be resumed.
#ifndef HEADRACE_TUNE_JOURNAL_H_
#define HEADRACE_TUNE_JOURNAL_H_

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tune/prober.h"

namespace headrace::tune {

// One JSON object on a line: first a head that says what was tuned, then a sample each.
//
// Wraps a prober: what the file has is answered from it, in the order in which it was measured;
// everything else is measured and appended. So a search that is run again with the same arguments
// goes quickly to where it was, and on from there.
class Journal final : public Prober {
 public:
  // `head`: model, SLA and what else makes samples comparable. A file that is there must have the
  // same (FAILED_PRECONDITION names both); its last line may be cut short. "" = no file. Borrows
  // the prober.
  static Result<std::unique_ptr<Journal>> Open(const std::string& path, const std::string& head,
                                               Prober& prober);
  ~Journal() override;

  Nanos Now() override { return prober_.Now(); }
  bool Stopped() override { return prober_.Stopped(); }
  Result<ServiceSample> Service(const Configuration& configuration, std::int64_t batch,
                                int concurrent, Nanos duration) override;
  Result<LoadSample> Load(const Configuration& configuration, double rate, Nanos duration) override;
  Result<CapacitySample> Capacity(const Configuration& configuration, double rate_start,
                                  double precision, Nanos time) override;
  Status Restart() override { return prober_.Restart(); }

  int answered() const { return answered_; }  // from the file

 private:
  explicit Journal(Prober& prober) : prober_(prober) {}
  // A line of the file with that key, which is gone then; "" = there is none.
  std::string Known(const std::string& key);
  void Write(const std::string& key, std::string_view sample);

  Prober& prober_;
  std::FILE* file_ = nullptr;
  std::map<std::string, std::deque<std::string>> known_;
  int answered_ = 0;
};

// The samples as JSON, also for the report.
std::string ToJson(const ServiceSample& sample);
std::string ToJson(const LoadSample& sample);
std::string ToJson(const CapacitySample& sample);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_JOURNAL_H_
