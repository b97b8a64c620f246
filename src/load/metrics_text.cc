#include "load/metrics_text.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace headrace::load {
namespace {

constexpr std::size_t kSampleCountMax = 1'000'000;

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':' || c == '.';
}

// Takes one sample line apart; every step says whether it could.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  // nullptr, or what is wrong.
  const char* Read(MetricSample& sample) {
    sample.name = Name();
    if (sample.name.empty()) {
      return "a metric's name is missing";
    }
    if (Take('{')) {
      Blanks();
      while (!Take('}')) {
        if (!Label(sample)) {
          return "a label is not NAME=\"VALUE\"";
        }
      }
    }
    Blanks();
    return Value(sample.value) ? nullptr : "the value is no number";
  }

 private:
  void Blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
    }
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  std::string Name() {
    std::size_t size = 0;
    while (size < rest_.size() && IsNameByte(rest_[size])) {
      ++size;
    }
    std::string name(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return name;
  }
  bool Label(MetricSample& sample) {
    std::string name = Name();
    Blanks();
    if (name.empty() || !Take('=')) {
      return false;
    }
    Blanks();
    std::string value;
    if (!Take('"') || !Quoted(value)) {
      return false;
    }
    sample.labels.emplace_back(std::move(name), std::move(value));
    Blanks();
    if (Take(',')) {
      Blanks();
      return !rest_.empty();
    }
    return !rest_.empty() && rest_.front() == '}';
  }
  bool Quoted(std::string& value) {
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        return true;
      }
      if (c == '\\' && !rest_.empty()) {
        c = rest_.front() == 'n' ? '\n' : rest_.front();
        rest_.remove_prefix(1);
      }
      value.push_back(c);
    }
    return false;
  }
  bool Value(double& value) {
    const std::size_t size = std::min(rest_.find_first_of(" \t"), rest_.size());
    std::string_view text = rest_.substr(0, size);
    if (text.starts_with('+')) {
      text.remove_prefix(1);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }

  std::string_view rest_;
};

constexpr std::string_view kSuffixes[] = {"_bucket", "_sum",     "_count",
                                          "_total",  "_created", "_info"};

// The family that `sample` belongs to: one that a # TYPE line named, else its own name.
std::string_view FamilyOf(const MetricFamilies& families, std::string_view sample) {
  if (families.contains(sample)) {
    return sample;
  }
  for (const std::string_view suffix : kSuffixes) {
    if (sample.ends_with(suffix)) {
      const std::string_view base = sample.substr(0, sample.size() - suffix.size());
      if (const auto found = families.find(base);
          found != families.end() && !found->second.type.empty()) {
        return base;
      }
    }
  }
  return sample;
}

// "# TYPE name type"
void ReadComment(std::string_view line, MetricFamilies& families) {
  constexpr std::string_view kType = "# TYPE ";
  if (!line.starts_with(kType)) {
    return;
  }
  line.remove_prefix(kType.size());
  const std::size_t blank = line.find_first_of(" \t");
  if (blank != std::string_view::npos) {
    families[std::string(line.substr(0, blank))].type = TrimBlanks(line.substr(blank));
  }
}

}  // namespace

const std::string* MetricSample::Label(std::string_view label) const {
  for (const auto& [key, text] : labels) {
    if (key == label) {
      return &text;
    }
  }
  return nullptr;
}

Result<MetricFamilies> ReadMetrics(std::string_view text) {
  MetricFamilies families;
  std::size_t number = 0, sample_count = 0;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    std::string_view line = TrimBlanks(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty()) {
      continue;
    }
    if (line.starts_with('#')) {
      ReadComment(line, families);
      continue;
    }
    MetricSample sample;
    if (const char* reason = LineReader(line).Read(sample)) {
      return InvalidArgument("metrics, line {}: {}", number, reason);
    }
    if (++sample_count > kSampleCountMax) {
      return ResourceExhausted("metrics: more than {} samples", kSampleCountMax);
    }
    families[std::string(FamilyOf(families, sample.name))].samples.push_back(std::move(sample));
  }
  return families;
}

std::optional<double> SumOf(const MetricFamilies& families, std::string_view name,
                            const MetricLabels& labels) {
  const auto family = families.find(FamilyOf(families, name));
  if (family == families.end()) {
    return std::nullopt;
  }
  std::optional<double> sum;
  for (const MetricSample& sample : family->second.samples) {
    const bool wanted =
        sample.name == name && std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
          const std::string* text = sample.Label(label.first);
          return text != nullptr && *text == label.second;
        });
    if (wanted) {
      sum = sum.value_or(0) + sample.value;
    }
  }
  return sum;
}

}  // namespace headrace::load
