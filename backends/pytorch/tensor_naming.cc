#include "pytorch/tensor_naming.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace headrace::backend {
namespace {

constexpr std::string_view kIndexMark = "__";

// The number behind the last "__", if that is all there is.
std::optional<std::size_t> IndexIn(std::string_view name) {
  const std::size_t mark = name.rfind(kIndexMark);
  if (mark == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(mark + kIndexMark.size());
  std::size_t index = 0;
  const auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (failure != std::errc() || stop != digits.data() + digits.size() || digits.empty()) {
    return std::nullopt;
  }
  return index;
}

std::optional<std::size_t> PlaceNamed(const CallPlaces& call, const std::string& name) {
  const auto found = std::find(call.names.begin(), call.names.end(), name);
  if (name.empty() || found == call.names.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - call.names.begin());
}

// What the name says by itself.
std::optional<std::size_t> PlaceMeant(const CallPlaces& call, const std::string& name) {
  const std::optional<std::size_t> named = PlaceNamed(call, name);
  return named ? named : IndexIn(name);
}

Error Unexpected(const CallPlaces& call, const std::string& name) {
  return InvalidArgument("unexpected inference {} '{}', allowed {}s are: {}", call.what, name,
                         call.what, AllowedNames(call));
}

// A name that stands for one place must not come to another by its order.
Error CheckOrder(const CallPlaces& call, const std::vector<TensorConfig>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    const std::optional<std::size_t> meant = PlaceMeant(call, name);
    if (meant && *meant != i) {
      return InvalidArgument(
          "{0} '{1}' means place {2} of the model's call, but stands at place {3}, and not every "
          "{0} is named that way: name all of them {4}, or none of them",
          call.what, name, *meant, i, AllowedNames(call));
    }
  }
  return {};
}

bool AllNamed(const CallPlaces& call, const std::vector<TensorConfig>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [&](const TensorConfig& tensor) {
    return PlaceNamed(call, tensor.name).has_value();
  });
}

bool AllIndexed(const std::vector<TensorConfig>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const TensorConfig& tensor) { return IndexIn(tensor.name).has_value(); });
}

// Refuses places that do not exist, and those that are given twice.
Error CheckPlaces(const CallPlaces& call, const std::vector<TensorConfig>& tensors,
                  const std::vector<std::size_t>& places) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (call.count && places[i] >= *call.count) {
      return Unexpected(call, tensors[i].name);
    }
    const auto end = places.begin() + static_cast<std::ptrdiff_t>(i);
    if (const auto taken = std::find(places.begin(), end, places[i]); taken != end) {
      return InvalidArgument("{}s '{}' and '{}' are both place {} of the model's call", call.what,
                             tensors[static_cast<std::size_t>(taken - places.begin())].name,
                             tensors[i].name, places[i]);
    }
  }
  return {};
}

}  // namespace

std::string AllowedNames(const CallPlaces& call) {
  std::string names;
  const char* const stem = std::string_view(call.what) == "input" ? "INPUT" : "OUTPUT";
  const std::size_t count = call.count.value_or(call.names.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::string indexed = fmt::format("{}{}{}", stem, kIndexMark, i);
    names += names.empty() ? "" : ", ";
    names += i < call.names.size() && !call.names[i].empty()
                 ? fmt::format("{} (or {})", call.names[i], indexed)
                 : indexed;
  }
  return names.empty() ? fmt::format("{}{}<index>", stem, kIndexMark) : names;
}

Error AssignPlaces(const CallPlaces& call, const std::vector<TensorConfig>& tensors,
                   std::vector<std::size_t>* places) {
  const bool named = AllNamed(call, tensors);
  const bool indexed = AllIndexed(tensors);
  if (!named && !indexed) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckOrder(call, tensors));
  }
  places->clear();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    places->push_back(named ? *PlaceNamed(call, name) : indexed ? *IndexIn(name) : i);
  }
  return CheckPlaces(call, tensors, *places);
}

Error AssignPlaces(const CallPlaces& call, const std::vector<TensorConfig>& tensors,
                   const std::vector<TensorConfig>& sequence, std::vector<std::size_t>* places) {
  std::vector<TensorConfig> all = tensors;
  all.insert(all.end(), sequence.begin(), sequence.end());
  const bool own = std::all_of(sequence.begin(), sequence.end(), [&](const TensorConfig& tensor) {
    return PlaceMeant(call, tensor.name).has_value();
  });
  if (sequence.empty() || !own || AllNamed(call, all) || AllIndexed(all)) {
    return AssignPlaces(call, all, places);
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(AssignPlaces(call, tensors, places));
  for (const TensorConfig& tensor : sequence) {
    places->push_back(*PlaceMeant(call, tensor.name));
  }
  return CheckPlaces(call, all, *places);
}

}  // namespace headrace::backend
