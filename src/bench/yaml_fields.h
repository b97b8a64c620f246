// Reads the fields of one YAML map, so that each fault names file, line and key.
#ifndef HEADRACE_BENCH_YAML_FIELDS_H_
#define HEADRACE_BENCH_YAML_FIELDS_H_

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace headrace::bench {

// The fault of a file that is read: the first one that was seen stays.
class YamlFaults {
 public:
  explicit YamlFaults(std::string file) : file_(std::move(file)) {}
  void Add(const YAML::Node& where, std::string_view key, std::string_view what);
  // The fault of another file that this one names.
  void Take(const Status& fault);
  const Status& status() const { return status_; }
  const std::string& file() const { return file_; }
  // "suite.yaml:7"
  std::string Place(const YAML::Node& where) const;

 private:
  std::string file_;
  Status status_;
};

// The root of a file. INVALID_ARGUMENT ("suite.yaml:3: ...") for what is no YAML, NOT_FOUND for a
// file that cannot be read; a file of more than 1 MiB is refused.
Result<YAML::Node> LoadYaml(const std::string& path);

// One map. Getters of a wrong value note a fault and give the default, so that a reader goes on
// and asks `faults` at the end. `where` is the path to the map: "models[0]". Borrows `faults`.
class YamlFields {
 public:
  YamlFields(YAML::Node map, std::string where, YamlFaults& faults);

  // Each getter marks its key as known.
  bool Has(const std::string& key);
  YAML::Node Node(const std::string& key);  // undefined where there is none
  std::string Text(const std::string& key, std::string otherwise = {});
  bool Flag(const std::string& key, bool otherwise);
  std::int64_t Integer(const std::string& key, std::int64_t otherwise, std::int64_t min,
                       std::int64_t max);
  double Number(const std::string& key, double otherwise, double min, double max);
  // "100ms", "1.5s", "2m", "500us"; a number alone counts as `unit`.
  Nanos Duration(const std::string& key, Nanos otherwise, Nanos unit = kSecond);
  // A list, or one value alone; no value twice. Empty where there is no key.
  std::vector<std::string> Texts(const std::string& key);
  std::vector<std::int64_t> Integers(const std::string& key, std::int64_t min, std::int64_t max);
  std::vector<double> Numbers(const std::string& key, double min, double max);

  void Fault(const std::string& key, std::string_view what);
  // A fault for each key that nobody asked for; the message lists what there is.
  void RefuseOthers();
  // "models[0].batch"
  std::string Path(const std::string& key) const;
  const YAML::Node& map() const { return map_; }
  YamlFaults& faults() { return faults_; }

 private:
  template <typename T, typename Read>
  std::vector<T> List(const std::string& key, const Read& read);

  YAML::Node map_;
  std::string where_;
  YamlFaults& faults_;
  std::set<std::string> known_;
};

// "100ms" in nanoseconds; see YamlFields::Duration.
Result<Nanos> ParseDuration(std::string_view text, Nanos unit);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_YAML_FIELDS_H_
