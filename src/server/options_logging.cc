#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

Option LogBool(std::string_view name, bool LogOptions::*field, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = "Logging", .value = "true|false", .help = help};
  option.set = [field](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.log.*field, ParseBool(text));
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return config.log.*field ? "true" : "false"; };
  return option;
}

Option LogVerbose() {
  Option option{.name = "log-verbose",
                .alias = {},
                .group = "Logging",
                .value = "LEVEL",
                .help = "Verbose entries up to this level; 0 turns them off, true means 1."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text == "true" || text == "false") {
      config.log.verbose_level = text == "true" ? 1 : 0;
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t level, ParseNumber(text, 0, 10));
    config.log.verbose_level = static_cast<int>(level);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", config.log.verbose_level);
  };
  return option;
}

Option LogFormatOption() {
  Option option{.name = "log-format",
                .alias = {},
                .group = "Logging",
                .value = "default|ISO8601",
                .help = "Form of a log line's head."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text != "default" && text != "ISO8601") {
      return InvalidArgument("expected default or ISO8601, got '{}'", text);
    }
    config.log.format = text == "default" ? LogFormat::kDefault : LogFormat::kIso8601;
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.log.format == LogFormat::kDefault ? "default" : "ISO8601";
  };
  return option;
}

Option LogFile() {
  Option option{.name = "log-file",
                .alias = {},
                .group = "Logging",
                .value = "PATH",
                .help = "Where all entries go; empty: standard output and standard error."};
  option.set = [](ServerConfig& config, std::string_view text) {
    config.log.file = std::string(text);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) { return config.log.file; };
  return option;
}

Option TraceConfig() {
  Option option{
      .name = "trace-config",
      .alias = {},
      .group = "Tracing",
      .value = "[MODE,]KEY=VALUE",
      .help =
          "level=OFF|TIMESTAMPS|TENSORS, rate, count, mode=triton|opentelemetry; triton,file; "
          "triton,log-frequency; opentelemetry,url; opentelemetry,resource=KEY=VALUE; "
          "opentelemetry,bsp_*. Repeatable.",
      .kind = OptionKind::kList};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_RETURN_IF_ERROR(tracing::ParseTraceOption(text, config.trace, config.trace_target));
    config.trace_config.emplace_back(text);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", fmt::join(config.trace_config, " "));
  };
  option.clear = [](ServerConfig& config) {
    config.trace = {};
    config.trace_target = {};
    config.trace_config.clear();
  };
  return option;
}

// Deprecated in Triton: `key` of --trace-config under a flag of its own.
Option OldTraceOption(std::string_view name, std::string_view key,
                      std::string (*get)(const ServerConfig&)) {
  Option option{.name = name,
                .alias = {},
                .group = "Tracing",
                .value = "VALUE",
                .help = "The old form of a --trace-config setting."};
  option.set = [key](ServerConfig& config, std::string_view text) {
    return tracing::ParseTraceOption(fmt::format("{}={}", key, text), config.trace,
                                     config.trace_target);
  };
  option.get = get;
  return option;
}

}  // namespace

void AppendLoggingOptions(std::vector<Option>& options) {
  options.push_back(LogVerbose());
  options.push_back(LogBool("log-info", &LogOptions::info, "Write INFO entries."));
  options.push_back(LogBool("log-warning", &LogOptions::warning, "Write WARNING entries."));
  options.push_back(LogBool("log-error", &LogOptions::error, "Write ERROR entries."));
  options.push_back(LogFormatOption());
  options.push_back(LogFile());
  options.push_back(TraceConfig());
  options.push_back(OldTraceOption("trace-file", "triton,file", [](const ServerConfig& config) {
    return config.trace_target.file;
  }));
  options.push_back(OldTraceOption("trace-level", "level", [](const ServerConfig& config) {
    return config.trace.levels.Names().back();
  }));
  options.push_back(OldTraceOption("trace-rate", "rate", [](const ServerConfig& config) {
    return fmt::format("{}", config.trace.rate);
  }));
  options.push_back(OldTraceOption("trace-count", "count", [](const ServerConfig& config) {
    return fmt::format("{}", config.trace.count);
  }));
  options.push_back(OldTraceOption(
      "trace-log-frequency", "triton,log-frequency",
      [](const ServerConfig& config) { return fmt::format("{}", config.trace.log_frequency); }));
}

}  // namespace headrace::server
