// A level out of a JSON object. The .cc files of this folder only; others: ParseLevel.
#ifndef HEADRACE_BENCH_LEVEL_JSON_READ_H_
#define HEADRACE_BENCH_LEVEL_JSON_READ_H_

#include "bench/json_reader.h"
#include "bench/level.h"

namespace headrace::bench {

// Errors are the reader's.
LevelResult ReadLevel(const JsonReader& json);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_LEVEL_JSON_READ_H_
