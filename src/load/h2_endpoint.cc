#include "load/h2_endpoint.h"

#include <utility>

#include "load/tls_options.h"

namespace headrace::load {

Result<H2Endpoint> MakeH2Endpoint(const TargetSpec& target) {
  H2Endpoint endpoint;
  endpoint.name = AddressText(target);
  HEADRACE_ASSIGN_OR_RETURN(endpoint.addresses, ResolveTarget(target));
  if (target.tls.enabled) {
    net::TlsClientOptions options = TlsOptionsOf(target.tls);
    options.server_name = target.unix_socket.empty() ? target.host : "localhost";
    options.protocols = {"h2"};
    HEADRACE_ASSIGN_OR_RETURN(endpoint.tls, net::TlsClientContext::Create(std::move(options)));
  }
  return endpoint;
}

}  // namespace headrace::load
