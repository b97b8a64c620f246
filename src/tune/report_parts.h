// What the reports of one model and of several have in common. Pure.
#ifndef HEADRACE_TUNE_REPORT_PARTS_H_
#define HEADRACE_TUNE_REPORT_PARTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "bench/level.h"
#include "protocol/json_writer.h"
#include "tune/configuration.h"
#include "tune/prober.h"

namespace headrace::tune {

// "p99 <= 100 ms"
std::string SlaText(const Target& target);
// "m p99 100 ms": of the first line of a resume file.
std::string HeadOf(std::string_view model, const Target& target);
// The note that a resumed run has.
std::string AnsweredText(int answered, std::string_view file);

// The fields of `configuration` into the object that is open.
void WriteFields(protocol::JsonWriter& json, const Configuration& configuration);
void WriteEstimate(protocol::JsonWriter& json, const bench::Estimate& estimate);

// The last lines for a terminal.
void AddNotes(const std::vector<std::string>& notes, bool interrupted, std::string& text);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPORT_PARTS_H_
