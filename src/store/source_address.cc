#include "store/source_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace headrace::store {
namespace {

using Ipv6 = std::array<std::uint8_t, 16>;

struct Ipv4Range {
  std::uint32_t first;
  int prefix_length;
};

constexpr std::uint32_t Ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// IANA's registry of special-purpose addresses.
constexpr Ipv4Range kSpecialIpv4[] = {
    {Ip(0, 0, 0, 0), 8},      {Ip(10, 0, 0, 0), 8},     {Ip(100, 64, 0, 0), 10},
    {Ip(127, 0, 0, 0), 8},    {Ip(169, 254, 0, 0), 16}, {Ip(172, 16, 0, 0), 12},
    {Ip(192, 0, 0, 0), 24},   {Ip(192, 0, 2, 0), 24},   {Ip(192, 88, 99, 0), 24},
    {Ip(192, 168, 0, 0), 16}, {Ip(198, 18, 0, 0), 15},  {Ip(198, 51, 100, 0), 24},
    {Ip(203, 0, 113, 0), 24}, {Ip(224, 0, 0, 0), 4},    {Ip(240, 0, 0, 0), 4},
};

bool IsPublic(std::uint32_t address) {
  return std::none_of(std::begin(kSpecialIpv4), std::end(kSpecialIpv4), [&](Ipv4Range range) {
    return (address ^ range.first) >> (32 - range.prefix_length) == 0;
  });
}

std::uint32_t Ipv4At(const Ipv6& address, std::size_t at) {
  return Ip(address[at], address[at + 1], address[at + 2], address[at + 3]);
}

bool StartsWith(const Ipv6& address, std::initializer_list<std::uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), address.begin());
}

bool IsPublic(const Ipv6& address) {
  if (StartsWith(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return IsPublic(Ipv4At(address, 12));  // NAT64
  }
  // Mapped and compatible addresses, :: and ::1 are outside of 2000::/3, which is what there is of
  // global unicast.
  if (StartsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) {
    return IsPublic(Ipv4At(address, 12));
  }
  if (address[0] >> 5 != 1) {
    return false;
  }
  if (StartsWith(address, {0x20, 0x02})) {
    return IsPublic(Ipv4At(address, 2));  // 6to4
  }
  // 2001::/23 (Teredo and other protocols), documentation.
  if (address[0] == 0x20 && address[1] == 0x01 && address[2] < 2) {
    return false;
  }
  return !StartsWith(address, {0x20, 0x01, 0x0d, 0xb8}) && !StartsWith(address, {0x3f, 0xff});
}

}  // namespace

bool IsPublicAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return IsPublic(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    Ipv6 bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
    return IsPublic(bytes);
  }
  return false;
}

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN];
  const void* bits =
      address.sa_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  const char* written = inet_ntop(address.sa_family, bits, text, sizeof(text));
  return written == nullptr ? "?" : written;
}

}  // namespace headrace::store
