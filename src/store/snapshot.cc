#include "store/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"
#include "base/write_all.h"
#include "repository/layout.h"
#include "store/archive_fetcher.h"
#include "store/store_directory.h"

namespace headrace::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEndings[] = {"-startup.cfg", "-snapshot.cfg", "-shutdown.cfg"};
constexpr std::size_t kTimeSize = 17;  // yyyyMMddHHmmssSSS

std::string_view EndingOf(SnapshotOccasion occasion) {
  return kEndings[static_cast<std::size_t>(occasion)];
}

bool IsSnapshot(std::string_view name, std::string_view ending) {
  return name.size() == kTimeSize + ending.size() && name.ends_with(ending) &&
         name.find_first_not_of("0123456789") == kTimeSize;
}

// Of the machine's own time zone, as TorchServe's are.
std::string TimeStamp(std::int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}{:03}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, unix_ms % 1000);
}

// As a .properties file has it.
void AppendEscaped(std::string_view text, bool is_key, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case ' ':
        out += is_key || i == 0 ? "\\ " : " ";
        break;
      case '\\':
      case ':':
      case '=':
      case '#':
      case '!':
        out += '\\';
        [[fallthrough]];
      default:
        out += c;
    }
  }
}

void AppendProperty(std::string_view key, std::string_view value, std::string& out) {
  AppendEscaped(key, true, out);
  out += '=';
  AppendEscaped(value, false, out);
  out += '\n';
}

std::vector<ModelFacts> AllVersions(const ModelStore& store) {
  std::vector<ModelFacts> all;
  for (const ModelFacts& model : store.List()) {
    for (ModelFacts& version : store.Describe(model.name, "all").models) {
      all.push_back(std::move(version));
    }
  }
  return all;
}

}  // namespace

std::vector<std::string> MissingArchives(const std::vector<ModelStore::StartModel>& models,
                                         const std::string& store_directory) {
  const StoreDirectory directory(store_directory);
  std::vector<std::string> missing;
  for (const ModelStore::StartModel& model : models) {
    StoreDirectory::Found found;
    if (!ArchiveFetcher::IsUrl(model.registration.url) &&
        !directory.Find(model.registration.url, found).ok()) {
      missing.push_back(model.registration.url);
    }
  }
  return missing;
}

std::optional<std::string> NewestSnapshot(const std::string& directory) {
  std::string newest;
  for (const std::string& name : repository::ListEntries(directory)) {
    for (const std::string_view ending : kEndings) {
      if (IsSnapshot(name, ending) && name.substr(0, kTimeSize) >= newest.substr(0, kTimeSize)) {
        newest = name;
      }
    }
  }
  return newest.empty() ? std::nullopt : std::optional(fmt::format("{}/{}", directory, newest));
}

std::string SnapshotWriter::NewName(SnapshotOccasion occasion, std::int64_t& created_unix_ms) {
  created_unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  // Two of one millisecond keep their order.
  created_unix_ms = last_unix_ms_ = std::max(created_unix_ms, last_unix_ms_ + 1);
  return TimeStamp(created_unix_ms) + std::string(EndingOf(occasion));
}

Status SnapshotWriter::WriteFile(const std::string& name, const std::string& content) const {
  const std::string path = fmt::format("{}/{}", directory_, name);
  const std::string unfinished = fmt::format("{}/.{}.{}", directory_, name, getpid());
  const auto failed = [&](const char* what) {
    const int error = errno;
    unlink(unfinished.c_str());
    return Unavailable("cannot {} the snapshot '{}': {}", what, path, std::strerror(error));
  };
  const UniqueFd fd(
      open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return failed("write");
  }
  if (!WriteAll(fd.get(), content)) {
    return failed("write");
  }
  if (fsync(fd.get()) != 0 || rename(unfinished.c_str(), path.c_str()) != 0) {
    return failed("keep");
  }
  return OkStatus();
}

void SnapshotWriter::RemoveOld() const {
  std::vector<std::string> names = repository::ListEntries(directory_);
  std::erase_if(names, [](const std::string& name) {
    return !IsSnapshot(name, EndingOf(SnapshotOccasion::kChange));
  });
  for (std::size_t i = 0; i + change_count_max_ < names.size(); ++i) {  // sorted: oldest first
    std::error_code ignored;
    fs::remove(fs::path(directory_) / names[i], ignored);
  }
}

Status SnapshotWriter::Write(SnapshotOccasion occasion, const ModelStore& store) {
  std::lock_guard lock(mutex_);
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) {
    return Unavailable("cannot make the directory '{}' for snapshots: {}", directory_,
                       error.message());
  }
  std::int64_t created = 0;
  const std::string name = NewName(occasion, created);
  std::string content = "#Saving snapshot\n";
  for (const auto& [key, value] : properties_) {
    // What was loaded is in the snapshot, and need not be loaded twice.
    if (key != "model_snapshot" && key != "load_models") {
      AppendProperty(key, value, content);
    }
  }
  AppendProperty("model_snapshot", SnapshotJson(name, created, AllVersions(store)), content);
  HEADRACE_RETURN_IF_ERROR(WriteFile(name, content));
  RemoveOld();
  return OkStatus();
}

}  // namespace headrace::store
