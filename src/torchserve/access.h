// Who may call what: tokens, the switch of the model API, other origins' browsers (contracts,
// TorchServe 2.1 and 2.8).
#ifndef HEADRACE_TORCHSERVE_ACCESS_H_
#define HEADRACE_TORCHSERVE_ACCESS_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "frontend/browser_rules.h"
#include "frontend/failure_budget.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

struct CorsOptions {
  std::string allowed_origin;  // empty: no other origin, no headers
  std::string allowed_methods;
  std::string allowed_headers;
};

struct AccessOptions {
  bool tokens = true;  // false: disable_token_authorization
  std::string key_file = "key_file.json";
  Nanos token_lifetime = 60 * 60 * kSecond;  // token_expiration_min
  bool model_api = false;                    // enable_model_api
  CorsOptions cors = {};
  frontend::BrowserRules browsers = {};  // of the management listener
};

// Which listener a request came on: an or of Surface's values.
using Surfaces = std::uint8_t;

enum class AccessVerdict : std::uint8_t { kOpen, kWrongToken, kTooManyFailures };

// Thread-safe.
class Access {
 public:
  // Makes the three keys and writes the file. UNAVAILABLE says why it cannot be written. `failures`
  // and `clock` are borrowed.
  static Result<std::unique_ptr<Access>> Create(AccessOptions options,
                                                frontend::FailureBudget& failures,
                                                const Clock& clock);
  // Without tokens: everybody may call.
  Access(AccessOptions options, frontend::FailureBudget& failures, const Clock& clock);
  // Removes the file, if it is still the one that this object wrote.
  ~Access();

  // Whether a request with this Authorization header (gRPC: that metadata) may use a route of
  // `route` on a listener that is `listener`. The metrics surface is open. A management key opens
  // the inference routes of a shared listener too, never the other way round. A wrong token is
  // counted as a failure of the host `peer`.
  AccessVerdict Check(Surface route, Surfaces listener,
                      std::optional<std::string_view> authorization, std::uint64_t peer) const;
  // Whether the request may come from a browser, whose page is of another server: PERMISSION_DENIED
  // says why not. Requests to the management listener's routes are asked for it.
  Status CheckBrowser(const net::HttpRequestHead& head) const {
    return frontend::CheckBrowser(options_.browsers, head);
  }
  // The text of the refusal: 400 InvalidKeyException, gRPC PERMISSION_DENIED. The same whatever was
  // wrong.
  static std::string_view token_refusal();

  // GET /token?type=...: makes the key of `type` ("management", "inference") anew and writes the
  // file. INVALID_ARGUMENT: not the API key, or no such type; RESOURCE_EXHAUSTED: the same, of a
  // host that has failed too often; UNAVAILABLE: the file cannot be written, and the old key holds.
  // Writes a file of some hundred bytes.
  Status Renew(std::string_view type, std::optional<std::string_view> authorization,
               std::uint64_t peer) const;

  // Whether models may be registered and unregistered; the text of the refusal: 405
  // MethodNotAllowedException, gRPC PERMISSION_DENIED.
  bool model_api() const { return options_.model_api; }
  static std::string_view model_api_refusal();

  const CorsOptions& cors() const { return options_.cors; }
  bool tokens() const { return options_.tokens; }

 private:
  struct Key {
    std::string text;
    Nanos expires = kNever;                 // on clock_
    std::int64_t expires_unix_seconds = 0;  // as the file shows it
  };

  Result<Key> NewKey(Nanos lifetime) const;
  Status WriteFile(const Key& management, const Key& inference) const;
  bool Matches(const Key& key, std::string_view given) const;

  bool Opens(Surface route, Surfaces listener, std::string_view given) const;

  const AccessOptions options_;
  frontend::FailureBudget& failures_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards the keys
  mutable Key management_, inference_;
  Key api_;                               // does not change
  mutable std::mutex renewal_;            // one at a time; guards file_inode_
  mutable std::uint64_t file_inode_ = 0;  // of the file that was written; 0: none
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_ACCESS_H_
