#include "tune/repository_variants.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "bench/json_value.h"
#include "repository/thread_parameters.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;

constexpr std::uintmax_t kManifestByteSizeMax = std::uintmax_t{4} << 20;

// What was not compared and not accepted may be anything.
double DropOf(const JsonValue& accuracy) {
  if (const JsonValue& drop = accuracy.At("drop"); !drop.is_null()) {
    return std::clamp(drop.AsDouble(), 0.0, 1.0);
  }
  return accuracy.At("accepted").AsBool() ? 0 : 1;
}

}  // namespace

Result<std::vector<Variant>> VariantsIn(std::string_view manifest_json, const Variant& original) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonValue manifest, JsonValue::Parse(manifest_json));
  std::vector<Variant> variants = {original};
  std::vector<const JsonValue*> made;
  for (const JsonValue& one : manifest.At("variants").elements()) {
    if (one.At("name").is_string() && one.At("backend").is_string()) {
      made.push_back(&one);
    }
  }
  if (made.empty()) {
    return variants;
  }
  variants.front().name = "original";
  variants.front().choice = "off";
  const auto speed = [](const JsonValue* one) {
    return one->At("measured").At("items_per_s").AsDouble();
  };
  std::stable_sort(made.begin(), made.end(),
                   [&](const JsonValue* a, const JsonValue* b) { return speed(a) > speed(b); });
  made.resize(std::min(made.size(), kVariantsMax));
  for (const JsonValue* one : made) {
    const std::string name(one->At("name").AsString());
    variants.push_back({.name = name,
                        .accuracy_drop = DropOf(one->At("accuracy")),
                        .choice = name,
                        .thread_parameter = std::string(
                            repository::ThreadParameter(one->At("backend").AsString()))});
  }
  return variants;
}

Result<std::vector<Variant>> ReadVariants(const std::string& model_directory,
                                          const Variant& original) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::int64_t newest = 0;
  fs::path version;
  for (const auto& entry : fs::directory_iterator(model_directory, error)) {
    const std::string name = entry.path().filename();
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (fault == std::errc() && end == name.data() + name.size() && number > newest) {
      newest = number;
      version = entry.path();
    }
  }
  const fs::path path = version / "variants" / "manifest.json";
  if (version.empty() || !fs::is_regular_file(path, error)) {
    return std::vector<Variant>{original};
  }
  if (fs::file_size(path, error) > kManifestByteSizeMax) {
    return InvalidArgument("{}: too large for a manifest", path.string());
  }
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto variants = VariantsIn(text, original);
  return variants.ok()
             ? std::move(variants)
             : Result<std::vector<Variant>>(variants.status().WithPrefix(path.string() + ": "));
}

}  // namespace headrace::tune
