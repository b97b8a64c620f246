// Keeps the pages that somebody looks at in a browser away from what changes a server (reliability,
// catalogue 140).
#ifndef HEADRACE_FRONTEND_BROWSER_RULES_H_
#define HEADRACE_FRONTEND_BROWSER_RULES_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "frontend/operation_class.h"
#include "net/http.h"

namespace headrace::frontend {

// A browser sends what any page asks it to send to a server that only its machine reaches, and says
// in `Origin` whose page that is. A page whose own name has come to mean this machine (DNS
// rebinding) is of the same origin as the server, but `Host` has that name.
struct BrowserRules {
  // Other machines do not reach the listener. Then a name in Host that is not `localhost`, and not
  // among `allowed_hosts`, is refused; addresses cannot be rebound. Elsewhere the server does not
  // know what it is called, and names are looked at if there are any in `allowed_hosts`.
  bool loopback = true;
  std::vector<std::string> allowed_hosts = {};  // names; "*": any
  std::string allowed_origin = {};              // beside the server's own; "*": any
};

// PERMISSION_DENIED says what is wrong with the request, and which key or option allows it. Pure.
Status CheckBrowser(const BrowserRules& rules, const net::HttpRequestHead& head);

// Whether the class is of those that the rules hold for: what changes the server.
constexpr bool ChangesServer(OperationClass operation) {
  return operation == OperationClass::kModelRepository ||
         operation == OperationClass::kSharedMemory || operation == OperationClass::kTrace ||
         operation == OperationClass::kLogging;
}

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_BROWSER_RULES_H_
