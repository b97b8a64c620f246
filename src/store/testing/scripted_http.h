// An HTTP server for tests whose answers are bytes as a test wrote them.
#ifndef HEADRACE_STORE_TESTING_SCRIPTED_HTTP_H_
#define HEADRACE_STORE_TESTING_SCRIPTED_HTTP_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace headrace::store::testing {

struct ScriptedAnswer {
  std::string bytes;
  // What happens behind them: an orderly end, a reset, the same again for ever, or silence until
  // the client goes.
  enum class Then { kClose, kReset, kRepeat, kHold } then = Then::kClose;

  static ScriptedAnswer Ok(const std::string& body);
  static ScriptedAnswer Redirect(const std::string& location);
};

// Listens on 127.0.0.1 and takes one connection, with one request, after the other.
class ScriptedHttp {
 public:
  using Script = std::function<ScriptedAnswer(const std::string& path)>;
  explicit ScriptedHttp(Script script);
  ~ScriptedHttp();

  std::uint16_t port() const { return port_; }
  // "http://127.0.0.1:PORT" and `path`.
  std::string Url(const std::string& path) const;
  // The heads of the requests so far.
  std::vector<std::string> requests() const;

 private:
  void Serve();
  void Answer(int fd);

  const Script script_;
  UniqueFd listener_;
  UniqueFd stop_;  // an eventfd
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;  // guards requests_
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace headrace::store::testing

#endif  // HEADRACE_STORE_TESTING_SCRIPTED_HTTP_H_
