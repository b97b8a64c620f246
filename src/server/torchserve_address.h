// Addresses as TorchServe's configuration has them (contracts, TorchServe 1.1, 1.12 and 5.2).
#ifndef HEADRACE_SERVER_TORCHSERVE_ADDRESS_H_
#define HEADRACE_SERVER_TORCHSERVE_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::server {

// Where one of the services listens.
struct TorchServeAddress {
  std::string text;  // as given: "http://127.0.0.1:8080", "unix:/tmp/ts.sock"
  std::string host;  // numeric IPv4 or IPv6; empty: a Unix socket
  std::uint16_t port = 0;
  std::string socket;  // its path
  bool tls = false;

  bool loopback() const;
  // "http://127.0.0.1:8080", "unix:/tmp/ts.sock"; with the port that was bound.
  std::string Shown(std::uint16_t bound_port) const;
  // Whether both can only be one listener. Never so for those that ask for any free port.
  bool SameAs(const TorchServeAddress& other) const;
};

struct DefaultPorts {
  std::uint16_t http = 8080, https = 8443;
};

// "http://HOST[:PORT]", "https://HOST[:PORT]" with or without a slash at the end, or "unix:PATH". A
// host that is a name is looked up (this may block); an address of IPv4 is preferred.
// INVALID_ARGUMENT says what is wrong.
Result<TorchServeAddress> ParseTorchServeAddress(std::string_view text, DefaultPorts ports);
// The numeric address of a host; the same rules.
Result<std::string> ResolveHost(const std::string& host);
bool IsLoopback(const std::string& numeric);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_ADDRESS_H_
