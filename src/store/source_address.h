// Which network addresses archives may be fetched from (reliability D4).
#ifndef HEADRACE_STORE_SOURCE_ADDRESS_H_
#define HEADRACE_STORE_SOURCE_ADDRESS_H_

#include <sys/socket.h>

#include <string>

namespace headrace::store {

// Whether the address belongs to the public internet: no loopback, private, shared, link-local,
// unique-local, multicast, documentation, benchmark or reserved range, and no IPv6 address that
// carries such an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64). Pure. False for other
// families.
bool IsPublicAddress(const sockaddr& address);

// Without the port: "127.0.0.1", "::1"; "?" for other families.
std::string AddressText(const sockaddr& address);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_SOURCE_ADDRESS_H_
