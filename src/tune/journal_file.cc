#include "tune/journal_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "bench/json_value.h"
#include "protocol/json_writer.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;
using protocol::JsonWriter;

constexpr std::size_t kLineByteSizeMax = std::size_t{1} << 20;
constexpr std::size_t kLinesMax = 100'000;

}  // namespace

Result<std::unique_ptr<JournalFile>> JournalFile::Open(const std::string& path,
                                                       const std::string& head) {
  std::unique_ptr<JournalFile> journal(new JournalFile);
  if (path.empty()) {
    return journal;
  }
  bool fresh = true, torn = false;
  std::ifstream in(path);
  std::string line;
  for (std::size_t lines = 0; in && std::getline(in, line) && lines < kLinesMax; ++lines) {
    torn = in.eof();  // the end of the file came before the end of the line
    if (line.size() > kLineByteSizeMax) {
      return InvalidArgument("{}: line {} is longer than any of a resume file's", path, lines + 1);
    }
    const auto parsed = JsonValue::Parse(line);
    if (lines == 0) {
      fresh = false;
      if (!parsed.ok() || parsed->At("tuned").is_null()) {
        return FailedPrecondition("{}: this is no resume file of `headrace tune`; it is left alone",
                                  path);
      }
      if (parsed->At("tuned").AsString() != head) {
        return FailedPrecondition("{}: it is of another run ({}), and this one is {}", path,
                                  parsed->At("tuned").AsString(), head);
      }
      continue;
    }
    if (parsed.ok() && parsed->At("key").is_string()) {
      journal->known_[std::string(parsed->At("key").AsString())].push_back(
          parsed->At("sample").Text());
    }
  }
  in.close();
  journal->file_ = std::fopen(path.c_str(), "ae");
  if (journal->file_ == nullptr) {
    return FailedPrecondition("{}: {}", path, std::strerror(errno));
  }
  if (torn) {
    std::fputc('\n', journal->file_);
  }
  if (fresh) {
    std::string text;
    JsonWriter(text).BeginObject().Key("tuned").String(head).EndObject();
    fmt::print(journal->file_, "{}\n", text);
    std::fflush(journal->file_);
  }
  return journal;
}

JournalFile::~JournalFile() {
  if (file_ != nullptr) {
    std::fclose(file_);
  }
}

std::string JournalFile::Take(const std::string& key) {
  const auto found = known_.find(key);
  if (found == known_.end() || found->second.empty()) {
    return {};
  }
  std::string sample = std::move(found->second.front());
  found->second.pop_front();
  ++answered_;
  return sample;
}

void JournalFile::Write(const std::string& key, std::string_view sample) {
  if (file_ == nullptr) {
    return;
  }
  std::string text;
  JsonWriter(text).BeginObject().Key("key").String(key).Key("sample").Raw(sample).EndObject();
  fmt::print(file_, "{}\n", text);
  std::fflush(file_);
}

}  // namespace headrace::tune
