#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/torchserve_settings.h"

namespace headrace::server {
namespace {

struct Flag {
  std::string_view name, alias, value, help;
  std::variant<bool TorchServeFlags::*, std::string TorchServeFlags::*,
               std::vector<std::string> TorchServeFlags::*>
      field;
};

using Flags = TorchServeFlags;

const Flag kFlags[] = {
    {"--help", "-h", "", "Show this text.", &Flags::help},
    {"--version", "-v", "", "Print the version of TorchServe that this program is like.",
     &Flags::version},
    {"--start", "", "", "Start the server; also what no flag means.", &Flags::start},
    {"--stop", "", "", "Stop the server; with --foreground, wait until it has ended.",
     &Flags::stop},
    {"--foreground", "", "", "Stay until the server ends.", &Flags::foreground},
    {"--ts-config", "", "FILE", "config.properties.", &Flags::ts_config},
    {"--model-store", "", "DIR", "Where archives of models are.", &Flags::model_store},
    {"--workflow-store", "", "DIR", "Where archives of workflows are; the model store by default.",
     &Flags::workflow_store},
    {"--models", "", "[NAME=]ARCHIVE ...", "Models to load at the start; all: every one.",
     &Flags::models},
    {"--log-config", "", "FILE", "Has no effect: the log's form and places are fixed.",
     &Flags::log_config},
    {"--cpp-log-config", "", "FILE", "Has no effect: there are no C++ workers.",
     &Flags::cpp_log_config},
    {"--no-config-snapshots", "--ncs", "", "Write no snapshots, and restore none.",
     &Flags::no_config_snapshots},
    {"--plugins-path", "--ppath", "PATH", "Has no effect: plug-ins of Java cannot be loaded.",
     &Flags::plugins_path},
    {"--disable-token-auth", "--dt", "", "Let everybody call without a token.",
     &Flags::disable_token_auth},
    {"--enable-model-api", "", "", "Let models be registered and unregistered while it runs.",
     &Flags::enable_model_api},
};

// By name, by alias, or by the only name that begins so.
Result<const Flag*> Find(std::string_view given) {
  const Flag* found = nullptr;
  for (const Flag& flag : kFlags) {
    if (flag.name == given || (!flag.alias.empty() && flag.alias == given)) {
      return &flag;
    }
  }
  for (const Flag& flag : kFlags) {
    if (!given.starts_with("--") || given.size() < 3 || !flag.name.starts_with(given)) {
      continue;
    }
    if (found != nullptr) {
      return InvalidArgument("ambiguous option: {} could match {}, {}", given, found->name,
                             flag.name);
    }
    found = &flag;
  }
  if (found == nullptr) {
    return InvalidArgument("unrecognized arguments: {}", given);
  }
  return found;
}

// Walks over the arguments.
class Reader {
 public:
  explicit Reader(std::span<const std::string> arguments) : rest_(arguments) {}

  Status ReadAll() {
    while (!rest_.empty()) {
      std::string_view given = rest_.front();
      rest_ = rest_.subspan(1);
      std::optional<std::string_view> value;
      if (const std::size_t equals = given.find('=');
          given.starts_with("--") && equals != std::string_view::npos) {
        value = given.substr(equals + 1);
        given = given.substr(0, equals);
      }
      HEADRACE_ASSIGN_OR_RETURN(const Flag* flag, Find(given));
      HEADRACE_RETURN_IF_ERROR(Take(*flag, value));
    }
    const int modes = flags_.version + flags_.start + flags_.stop;
    return modes > 1 ? InvalidArgument("of --version, --start and --stop only one is allowed")
                     : OkStatus();
  }
  TorchServeFlags& flags() { return flags_; }

 private:
  bool HasValue() const { return !rest_.empty() && !rest_.front().starts_with('-'); }
  std::string TakeNext() {
    std::string value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }

  Status Take(const Flag& flag, std::optional<std::string_view> value) {
    if (const auto* on = std::get_if<bool Flags::*>(&flag.field)) {
      flags_.*(*on) = true;
      return value
                 ? InvalidArgument("argument {}: ignored explicit argument '{}'", flag.name, *value)
                 : OkStatus();
    }
    if (!value && !HasValue()) {
      return InvalidArgument("argument {}: expected at least one argument", flag.name);
    }
    if (const auto* text = std::get_if<std::string Flags::*>(&flag.field)) {
      flags_.*(*text) = value ? std::string(*value) : TakeNext();
      return OkStatus();
    }
    auto& list = flags_.*std::get<std::vector<std::string> Flags::*>(flag.field);
    list.clear();
    if (value) {
      list.emplace_back(*value);
    }
    while (!value && HasValue()) {
      list.push_back(TakeNext());
    }
    return OkStatus();
  }

  std::span<const std::string> rest_;
  TorchServeFlags flags_;
};

}  // namespace

Result<TorchServeFlags> ParseTorchServeFlags(const std::vector<std::string>& arguments) {
  Reader reader(arguments);
  HEADRACE_RETURN_IF_ERROR(reader.ReadAll());
  return std::move(reader.flags());
}

std::string TorchServeUsage() {
  std::string text = "usage: torchserve [--start | --stop | --version] [options]\n\n";
  for (const Flag& flag : kFlags) {
    const std::string names =
        flag.alias.empty() ? std::string(flag.name) : fmt::format("{}, {}", flag.name, flag.alias);
    text += fmt::format("  {} {}\n        {}\n", names, flag.value, flag.help);
  }
  return text;
}

}  // namespace headrace::server
