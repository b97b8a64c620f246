// What was measured of one model, kept in a file, so that a run that ended early can be resumed.
#ifndef HEADRACE_TUNE_JOURNAL_H_
#define HEADRACE_TUNE_JOURNAL_H_

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "tune/journal_file.h"
#include "tune/prober.h"

namespace headrace::tune {

// Wraps a prober: what the file has is answered from it, in the order in which it was measured;
// everything else is measured and appended. So a search that is run again with the same arguments
// goes quickly to where it was, and on from there.
class Journal final : public Prober {
 public:
  // With a file of its own (JournalFile::Open). Borrows the prober.
  static Result<std::unique_ptr<Journal>> Open(const std::string& path, const std::string& head,
                                               Prober& prober);
  // In a file that others write to as well: `scope` tells its samples from theirs. Borrows both.
  Journal(JournalFile& file, Prober& prober, std::string scope)
      : file_(file), prober_(prober), scope_(std::move(scope)) {}

  Nanos Now() override { return prober_.Now(); }
  bool Stopped() override { return prober_.Stopped(); }
  Result<ServiceSample> Service(const Configuration& configuration, std::int64_t batch,
                                int concurrent, Nanos duration) override;
  Result<LoadSample> Load(const Configuration& configuration, double rate, Nanos duration) override;
  Result<CapacitySample> Capacity(const Configuration& configuration, double rate_start,
                                  double precision, Nanos time) override;
  Status Restart() override { return prober_.Restart(); }

  int answered() const { return file_.answered(); }  // from the file

 private:
  Journal(std::unique_ptr<JournalFile> own, Prober& prober)
      : own_(std::move(own)), file_(*own_), prober_(prober) {}

  const std::unique_ptr<JournalFile> own_;  // null: borrowed
  JournalFile& file_;
  Prober& prober_;
  const std::string scope_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_JOURNAL_H_
