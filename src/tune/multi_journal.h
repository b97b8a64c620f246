// What was measured of several models, kept in one file, so that a run can be resumed.
#ifndef HEADRACE_TUNE_MULTI_JOURNAL_H_
#define HEADRACE_TUNE_MULTI_JOURNAL_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "tune/journal.h"
#include "tune/journal_file.h"
#include "tune/multi_prober.h"

namespace headrace::tune {

// As Journal: each model's own samples go by its name, those of mixed loads by all configurations.
class MultiJournal final : public MultiProber {
 public:
  // `names` of the prober's models. Borrows the prober.
  static Result<std::unique_ptr<MultiJournal>> Open(const std::string& path,
                                                    const std::string& head,
                                                    const std::vector<std::string>& names,
                                                    MultiProber& prober);

  Nanos Now() override { return prober_.Now(); }
  bool Stopped() override { return prober_.Stopped(); }
  std::size_t size() const override { return prober_.size(); }
  Prober& model(std::size_t index) override { return *models_[index]; }
  Result<MixSample> Mix(const std::vector<Configuration>& configurations, double rate,
                        Nanos duration) override;

  int answered() const { return file_->answered(); }  // from the file

 private:
  MultiJournal(std::unique_ptr<JournalFile> file, MultiProber& prober)
      : file_(std::move(file)), prober_(prober) {}

  const std::unique_ptr<JournalFile> file_;
  MultiProber& prober_;
  std::vector<std::unique_ptr<Journal>> models_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_JOURNAL_H_
