// The bodies of requests by protocol, before they are put behind a head.
#ifndef HEADRACE_LOAD_HTTP_BODY_H_
#define HEADRACE_LOAD_HTTP_BODY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/http_request.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::load {

struct HttpBody {
  std::string start;  // offsets of `fields` are into this
  std::vector<RequestField> fields;
  std::string rest;                                         // behind `start`
  std::vector<std::shared_ptr<const std::string>> payload;  // behind `rest`
  std::optional<std::size_t> json_byte_size;  // v2 with binary tensors: of `start` and `rest`
  std::string content_type;

  std::size_t byte_size() const;
};

// A v2 inference request as JSON, with the tensors behind it where `target.binary_input`.
Result<HttpBody> V2Body(const TargetSpec& target, const Item& item, const Content& content);

// KServe v1: the content's body, or {"instances": ...} of its tensors: the rows of the only one, or
// objects with a member for each.
Result<HttpBody> V1Body(const Content& content);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_BODY_H_
