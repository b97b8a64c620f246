#include "store/url_policy.h"

#include <re2/re2.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace headrace::store {
namespace {

constexpr std::int64_t kExpressionMemoryMax = 1 << 20;

bool Has(std::string_view text, char c) { return text.find(c) != std::string_view::npos; }

// "http(s)?://a\.b/c/.*" without the parts that make it an expression; nothing if it is one still.
std::optional<std::string> PlainText(std::string_view entry) {
  if (entry.ends_with("/.*")) {
    entry.remove_suffix(2);
  }
  std::string plain;
  for (std::size_t i = 0; i < entry.size(); ++i) {
    if (entry[i] == '\\' && i + 1 < entry.size() && Has("./-", entry[i + 1])) {
      plain += entry[++i];
    } else if (Has("\\*+?()|{}^$", entry[i])) {
      return std::nullopt;
    } else {
      plain += entry[i];
    }
  }
  return plain;
}

std::vector<std::string> WithSchemes(std::string_view entry) {
  for (const std::string_view both : {"http(s)?://", "https?://", "(http|https)://"}) {
    if (entry.starts_with(both)) {
      const std::string rest(entry.substr(both.size()));
      return {"http://" + rest, "https://" + rest};
    }
  }
  return {std::string(entry)};
}

bool IsAtOrBelow(std::string_view path, std::string_view place) {
  return path.starts_with(place) &&
         (path.size() == place.size() || place.ends_with('/') || path[place.size()] == '/');
}

std::string WithLinksFollowed(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), &free);
  return real == nullptr ? std::string() : std::string(real.get());
}

}  // namespace

struct UrlPolicy::Entry {
  std::optional<SourceUrl> place;
  std::shared_ptr<const RE2> expression;

  static Result<Entry> Place(const std::string& text) {
    HEADRACE_ASSIGN_OR_RETURN(SourceUrl url, SourceUrl::Parse(text));
    return Entry{std::move(url), nullptr};
  }

  static Result<Entry> Expression(const std::string& text) {
    RE2::Options options(RE2::Quiet);
    options.set_case_sensitive(false);
    options.set_max_mem(kExpressionMemoryMax);
    auto expression = std::make_shared<const RE2>(text, options);
    if (!expression->ok()) {
      return InvalidArgument("allowed_urls: '{}' is neither a URL nor an expression: {}", text,
                             expression->error());
    }
    return Entry{std::nullopt, std::move(expression)};
  }

  bool Matches(std::string_view text) const {
    return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *expression);
  }
};

UrlPolicy::UrlPolicy() = default;
UrlPolicy::UrlPolicy(UrlPolicy&&) noexcept = default;
UrlPolicy& UrlPolicy::operator=(UrlPolicy&&) noexcept = default;
UrlPolicy::~UrlPolicy() = default;

Result<UrlPolicy> UrlPolicy::Make(const std::vector<std::string>& entries) {
  UrlPolicy policy;
  for (const std::string& entry : entries) {
    for (const std::string& text : WithSchemes(entry)) {
      if (const std::optional<std::string> plain = PlainText(text)) {
        if (Result<Entry> place = Entry::Place(*plain); place.ok()) {
          policy.entries_.push_back(std::move(place).value());
          continue;
        }
      }
      HEADRACE_ASSIGN_OR_RETURN(Entry expression, Entry::Expression(text));
      policy.entries_.push_back(std::move(expression));
    }
  }
  return policy;
}

UrlPolicy::Verdict UrlPolicy::Allows(std::string_view text, const SourceUrl& url) const {
  Verdict verdict;
  const std::string normal = url.Text();
  for (const Entry& entry : entries_) {
    if (!entry.place) {
      verdict.allowed |= entry.Matches(text) && entry.Matches(normal);
    } else if (entry.place->scheme == url.scheme && entry.place->host == url.host &&
               entry.place->port == url.port && IsAtOrBelow(url.path, entry.place->path)) {
      return {true, true};
    }
  }
  return verdict;
}

bool UrlPolicy::AllowsOpenedFile(const std::string& path) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    if (!entry.place) {
      return entry.Matches("file://" + path);
    }
    if (entry.place->scheme != SourceUrl::Scheme::kFile) {
      return false;
    }
    const std::string real = WithLinksFollowed(entry.place->DecodedPath());
    return !real.empty() && IsAtOrBelow(path, real);
  });
}

}  // namespace headrace::store
