// Where HTTP/2 connections of a client go.
#ifndef HEADRACE_LOAD_H2_ENDPOINT_H_
#define HEADRACE_LOAD_H2_ENDPOINT_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/socket_address.h"
#include "load/target.h"
#include "net/tls_client_context.h"

namespace headrace::load {

// `tls` is null for plain ones.
struct H2Endpoint {
  std::string name;  // for messages: "127.0.0.1:8001"
  std::vector<SocketAddress> addresses;
  std::shared_ptr<const net::TlsClientContext> tls;
};

// Resolves the name, reads the certificates.
Result<H2Endpoint> MakeH2Endpoint(const TargetSpec& target);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_H2_ENDPOINT_H_
