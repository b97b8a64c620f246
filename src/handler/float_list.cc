#include "handler/float_list.h"

#include <simdjson.h>

#include <cstdint>
#include <utility>

namespace headrace::handler {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kRankMax = 8;

class Reader {
 public:
  Status Read(dom::element value, std::size_t depth) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
      return ReadNumber(value, depth);
    }
    if (depth == kRankMax || (leaf_depth_ != 0 && depth >= leaf_depth_)) {
      return Ragged();
    }
    std::int64_t count = 0;
    for (const dom::element element : list) {
      HEADRACE_RETURN_IF_ERROR(Read(element, depth + 1));
      ++count;
    }
    if (dims_.size() <= depth) {
      dims_.resize(depth + 1, -1);
    }
    if (dims_[depth] != -1 && dims_[depth] != count) {
      return Ragged();
    }
    dims_[depth] = count;
    return OkStatus();
  }

  FloatList Take() { return {Shape(std::span<const std::int64_t>(dims_)), std::move(values_)}; }

 private:
  static Status Ragged() {
    return InvalidArgument("the lists in the request are not all of one shape");
  }

  Status ReadNumber(dom::element value, std::size_t depth) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS) {
      return InvalidArgument("the request's JSON is no image in base64 and no list of numbers");
    }
    if (leaf_depth_ != 0 && leaf_depth_ != depth) {
      return Ragged();
    }
    leaf_depth_ = depth;
    values_.push_back(static_cast<float>(number));
    return OkStatus();
  }

  std::vector<std::int64_t> dims_;
  std::vector<float> values_;
  std::size_t leaf_depth_ = 0;  // of the numbers; 0: none yet
};

}  // namespace

Result<FloatList> ParseFloatList(std::string_view json) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS || !root.is_array()) {
    return InvalidArgument(
        "the request's JSON is neither an image in base64 (a string) nor a tensor (a list of "
        "lists of numbers)");
  }
  Reader reader;
  HEADRACE_RETURN_IF_ERROR(reader.Read(root, 0));
  return reader.Take();
}

}  // namespace headrace::handler
