#include "bench/suite_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <utility>

#include "base/write_all.h"
#include "bench/json_value.h"
#include "bench/result_json.h"
#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

constexpr int kVersion = 1;
constexpr char kMark[] = "headrace_suite_state";

std::string LineOf(const std::string& key, const PointResult& result) {
  std::string line;
  protocol::JsonWriter json(line);
  json.BeginObject().Key("point").String(key).Key("took_ns").Int(result.took);
  json.Key("columns").BeginObject();
  for (const auto& [name, value] : result.columns) {
    json.Key(name).Double(value);
  }
  json.EndObject().Key("level");
  WriteLevel(json, result.level);
  json.EndObject();
  return line + '\n';
}

// Nothing for a line that was cut.
bool ReadLine(const std::string& line, std::string& key, PointResult& result) {
  const auto parsed = JsonValue::Parse(line);
  if (!parsed.ok() || !parsed->At("point").is_string() || !parsed->At("level").is_object()) {
    return false;
  }
  key = parsed->At("point").AsString();
  result.took = parsed->At("took_ns").AsInt();
  for (const auto& [name, value] : parsed->At("columns").members()) {
    result.columns[name] = value.AsDouble();
  }
  auto level = ParseLevel(parsed->At("level").Text());
  if (!level.ok()) {
    return false;
  }
  result.level = std::move(*level);
  return true;
}

}  // namespace

SuiteState::SuiteState(std::string path, UniqueFd file)
    : path_(std::move(path)), file_(std::move(file)) {}

Result<std::unique_ptr<SuiteState>> SuiteState::Open(const std::string& path,
                                                     const std::vector<SuitePoint>& plan,
                                                     bool fresh) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644));
  if (!file) {
    return Unavailable("'{}' cannot be written: {}", path, std::strerror(errno));
  }
  std::unique_ptr<SuiteState> state(new SuiteState(path, std::move(file)));
  std::set<std::string> wanted;
  for (const SuitePoint& point : plan) {
    wanted.insert(point.key);
  }
  std::ifstream lines(path);
  std::string line;
  off_t whole = 0;  // bytes of lines that are whole
  for (bool first = true; std::getline(lines, line) && !lines.eof(); first = false) {
    if (first) {
      const auto header = JsonValue::Parse(line);
      if (!header.ok() || header->Find(kMark) == nullptr) {
        return Status(
            StatusCode::kFailedPrecondition,
            fmt::format("'{}' is no state of a suite; name another --output folder", path));
      }
      if (header->At(kMark).AsInt() > kVersion) {
        return Status(StatusCode::kFailedPrecondition,
                      fmt::format("'{}' was written by a newer version; use --fresh to measure "
                                  "everything again",
                                  path));
      }
    } else {
      std::string key;
      PointResult result;
      if (!ReadLine(line, key, result)) {
        break;
      }
      if (wanted.count(key) == 0) {
        ++state->foreign_count_;
      } else {
        state->results_[key] = std::move(result);
      }
    }
    whole += static_cast<off_t>(line.size()) + 1;
  }
  // A line that was cut as the file was made begins like ours; any other text is somebody else's.
  if (whole == 0 && !line.empty() &&
      !fmt::format("{{\"{}\":{}}}", kMark, kVersion).starts_with(line)) {
    return Status(StatusCode::kFailedPrecondition,
                  fmt::format("'{}' is no state of a suite; name another --output folder", path));
  }
  if (::ftruncate(state->file_.get(), whole) != 0 ||
      ::lseek(state->file_.get(), whole, SEEK_SET) < 0) {
    return Unavailable("'{}' cannot be written: {}", path, std::strerror(errno));
  }
  if (whole == 0) {
    HEADRACE_RETURN_IF_ERROR(state->Write(fmt::format("{{\"{}\":{}}}\n", kMark, kVersion)));
  }
  return state;
}

const PointResult* SuiteState::Find(const std::string& key) const {
  const auto found = results_.find(key);
  return found == results_.end() ? nullptr : &found->second;
}

Status SuiteState::Add(const std::string& key, PointResult result) {
  const std::string line = LineOf(key, result);
  results_[key] = std::move(result);
  return Write(line);
}

void SuiteState::Remember(const std::string& key, PointResult result) {
  results_[key] = std::move(result);
}

Status SuiteState::Write(const std::string& line) {
  if (!WriteAll(file_.get(), line) || ::fdatasync(file_.get()) != 0) {
    return Unavailable("'{}' cannot be written: {}", path_, std::strerror(errno));
  }
  return OkStatus();
}

}  // namespace headrace::bench
