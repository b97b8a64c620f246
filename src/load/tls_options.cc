#include "load/tls_options.h"

namespace headrace::load {

net::TlsClientOptions TlsOptionsOf(const TlsFiles& tls) {
  net::TlsClientOptions options;
  options.verify_peer = tls.verify_peer;
  options.verify_host = tls.verify_host;
  options.ca_file = tls.ca_file;
  options.certificate_file = tls.certificate_file;
  options.key_file = tls.key_file;
  return options;
}

}  // namespace headrace::load
