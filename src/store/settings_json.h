// The members that a model's settings have in the `models` key and in snapshots. Pure.
#ifndef HEADRACE_STORE_SETTINGS_JSON_H_
#define HEADRACE_STORE_SETTINGS_JSON_H_

#include <simdjson.h>

#include <string_view>

#include "base/result.h"
#include "store/model_store.h"

namespace headrace::store {

// `parser` owns what is returned. INVALID_ARGUMENT "<what>: ...".
Result<simdjson::dom::object> ParseJsonObject(std::string_view json, std::string_view what,
                                              simdjson::dom::parser& parser);

// A number, or a string that is one, of at least `min`; nothing otherwise.
std::optional<std::int64_t> NumberIn(simdjson::dom::object object, std::string_view key,
                                     std::int64_t min);

// Worker counts of at least `worker_count_min`.
WantedSettings SettingsIn(simdjson::dom::object object, std::int64_t worker_count_min);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_SETTINGS_JSON_H_
