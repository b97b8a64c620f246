// What the reports of one model and of several have in common. Pure.
#ifndef HEADRACE_TUNE_REPORT_PARTS_H_
#define HEADRACE_TUNE_REPORT_PARTS_H_

#include <string>
#include <vector>

#include "protocol/json_writer.h"
#include "tune/configuration.h"

namespace headrace::tune {

// The fields of `configuration` into the object that is open.
void WriteFields(protocol::JsonWriter& json, const Configuration& configuration);

// The last lines for a terminal.
void AddNotes(const std::vector<std::string>& notes, bool interrupted, std::string& text);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_REPORT_PARTS_H_
