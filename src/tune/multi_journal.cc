#include "tune/multi_journal.h"

#include <fmt/format.h>

#include <utility>

#include "bench/json_value.h"
#include "tune/sample_json.h"

namespace headrace::tune {

Result<std::unique_ptr<MultiJournal>> MultiJournal::Open(const std::string& path,
                                                         const std::string& head,
                                                         const std::vector<std::string>& names,
                                                         MultiProber& prober) {
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, JournalFile::Open(path, head));
  std::unique_ptr<MultiJournal> journal(new MultiJournal(std::move(file), prober));
  for (std::size_t i = 0; i < prober.size(); ++i) {
    journal->models_.push_back(
        std::make_unique<Journal>(*journal->file_, prober.model(i), names[i] + ": "));
  }
  return journal;
}

Result<MixSample> MultiJournal::Mix(const std::vector<Configuration>& configurations, double rate,
                                    Nanos duration) {
  std::string key = "mix ";
  for (const Configuration& configuration : configurations) {
    key += Describe(configuration) + " | ";
  }
  key += fmt::format("{:.4g}", rate);
  if (const std::string known = file_->Take(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const bench::JsonValue json, bench::JsonValue::Parse(known));
    MixSample sample;
    for (const bench::JsonValue& one : json.elements()) {
      sample.push_back(ReadLoadSample(one));
    }
    if (sample.size() == configurations.size()) {
      return sample;
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(MixSample sample, prober_.Mix(configurations, rate, duration));
  if (!prober_.Stopped()) {
    std::string text = "[";
    for (const LoadSample& one : sample) {
      text += (text.size() > 1 ? "," : "") + ToJson(one);
    }
    file_->Write(key, text + "]");
  }
  return sample;
}

}  // namespace headrace::tune
