// model-config.yaml of an archive with what was tuned in it. Pure.
#ifndef HEADRACE_TUNE_ARCHIVE_YAML_H_
#define HEADRACE_TUNE_ARCHIVE_YAML_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "tune/configuration.h"
#include "tune/space.h"

namespace headrace::tune {

// A delay as TorchServe's forms have it: whole milliseconds, at least 1, since 0 means there that
// nobody said anything.
std::int64_t DelayMs(Nanos delay);

// `text` (the file as it is; "" = there is none) with minWorkers, maxWorkers, batchSize,
// maxBatchDelay (where there are batches), threadsPerWorker (where threads were tuned) and
// deviceType (on GPUs) replaced or added; all else as it was, byte for byte. `comment` goes on top,
// each line behind '#', in place of that of an earlier run. INVALID_ARGUMENT where the text is no
// YAML, or of a form that cannot be changed line by line.
Result<std::string> TunedArchiveYaml(std::string_view text, const Configuration& configuration,
                                     const Variant& variant, std::string_view comment);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ARCHIVE_YAML_H_
