#include "torchserve/access.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/ascii.h"
#include "base/constant_time.h"
#include "base/unique_fd.h"
#include "base/write_all.h"
#include "protocol/base64.h"

namespace headrace::torchserve {
namespace {

constexpr std::size_t kKeyByteSize = 32;
constexpr std::string_view kScheme = "Bearer ";

// 32 bytes as 43 characters of base64url.
std::string Base64Url(const std::array<unsigned char, kKeyByteSize>& bytes) {
  std::string text =
      protocol::EncodeBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.resize(text.find('='));
  return text;
}

// What follows "Bearer "; nothing: there is no such header.
std::optional<std::string_view> KeyIn(std::optional<std::string_view> authorization) {
  if (!authorization || authorization->size() <= kScheme.size() ||
      !EqualsIgnoringCase(authorization->substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  return authorization->substr(kScheme.size());
}

std::string IsoTime(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

Access::Access(AccessOptions options, frontend::FailureBudget& failures, const Clock& clock)
    : options_(std::move(options)), failures_(failures), clock_(clock) {}

Result<std::unique_ptr<Access>> Access::Create(AccessOptions options,
                                               frontend::FailureBudget& failures,
                                               const Clock& clock) {
  auto access = std::make_unique<Access>(std::move(options), failures, clock);
  if (access->options_.tokens) {
    HEADRACE_ASSIGN_OR_RETURN(access->management_, access->NewKey(access->options_.token_lifetime));
    HEADRACE_ASSIGN_OR_RETURN(access->inference_, access->NewKey(access->options_.token_lifetime));
    HEADRACE_ASSIGN_OR_RETURN(access->api_, access->NewKey(kNever));
    HEADRACE_RETURN_IF_ERROR(access->WriteFile(access->management_, access->inference_));
  }
  return access;
}

Access::~Access() {
  struct stat info {};
  if (file_inode_ != 0 && ::lstat(options_.key_file.c_str(), &info) == 0 &&
      info.st_ino == file_inode_) {
    ::unlink(options_.key_file.c_str());
  }
}

Result<Access::Key> Access::NewKey(Nanos lifetime) const {
  std::array<unsigned char, kKeyByteSize> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Unavailable("the system gives no random bytes for a token: {}", std::strerror(errno));
  }
  Key key;
  key.text = Base64Url(bytes);
  if (lifetime != kNever) {
    key.expires = clock_.Now() + lifetime;
    key.expires_unix_seconds = std::time(nullptr) + lifetime / kSecond;
  }
  return key;
}

// A new file takes the old one's place, so that no reader sees half of it, and nobody who had the
// old one open sees the new keys.
Status Access::WriteFile(const Key& management, const Key& inference) const {
  const std::string text = fmt::format(
      "{{\n  \"management\": {{\n    \"key\": \"{}\",\n    \"expiration time\": \"{}\"\n  }},\n"
      "  \"inference\": {{\n    \"key\": \"{}\",\n    \"expiration time\": \"{}\"\n  }},\n"
      "  \"API\": {{\n    \"key\": \"{}\"\n  }}\n}}\n",
      management.text, IsoTime(management.expires_unix_seconds), inference.text,
      IsoTime(inference.expires_unix_seconds), api_.text);
  const std::string temporary = fmt::format("{}.{}", options_.key_file, ::getpid());
  ::unlink(temporary.c_str());  // of a process of that number that ended in between
  UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info {};
  if (!file || !WriteAll(file.get(), text) || ::fstat(file.get(), &info) != 0 ||
      ::rename(temporary.c_str(), options_.key_file.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    return Unavailable(
        "cannot write the tokens to '{}': {}; start in a directory that can be written, or switch "
        "tokens off with --disable-token-auth",
        options_.key_file, std::strerror(reason));
  }
  file_inode_ = info.st_ino;
  return OkStatus();
}

bool Access::Matches(const Key& key, std::string_view given) const {
  return EqualInConstantTime(key.text, given) && clock_.Now() < key.expires;
}

bool Access::Opens(Surface route, Surfaces listener, std::string_view given) const {
  const std::lock_guard lock(mutex_);
  if (route == Surface::kManagement) {
    return Matches(management_, given);
  }
  const bool shared = (listener & static_cast<Surfaces>(Surface::kManagement)) != 0;
  return Matches(inference_, given) || (shared && Matches(management_, given));
}

AccessVerdict Access::Check(Surface route, Surfaces listener,
                            std::optional<std::string_view> authorization,
                            std::uint64_t peer) const {
  if (!options_.tokens || route == Surface::kMetrics) {
    return AccessVerdict::kOpen;
  }
  const std::optional<std::string_view> given = KeyIn(authorization);
  if (given && Opens(route, listener, *given)) {
    return AccessVerdict::kOpen;
  }
  return failures_.Charge(peer) ? AccessVerdict::kWrongToken : AccessVerdict::kTooManyFailures;
}

std::string_view Access::token_refusal() {
  return "Token Authorization failed. Token either incorrect, expired, or not provided correctly. "
         "Send the header \"Authorization: Bearer <key>\" with a key from key_file.json, which is "
         "in the directory that the server was started in; --disable-token-auth switches tokens "
         "off";
}

std::string_view Access::model_api_refusal() {
  return "Model API disabled: registering and unregistering models is switched off. Start the "
         "server with --enable-model-api, or with enable_model_api=true in config.properties";
}

Status Access::Renew(std::string_view type, std::optional<std::string_view> authorization,
                     std::uint64_t peer) const {
  const std::optional<std::string_view> given = KeyIn(authorization);
  const bool management = type == "management";
  if (!options_.tokens || !given || !EqualInConstantTime(api_.text, *given) ||
      (!management && type != "inference")) {
    if (!failures_.Charge(peer)) {
      return ResourceExhausted("{}", frontend::kTooManyFailures);
    }
    return InvalidArgument(
        "Token Authentication failed. Token either incorrect, expired, or not provided correctly. "
        "It takes the API key of key_file.json, and type=management or type=inference");
  }
  const std::lock_guard one(renewal_);
  HEADRACE_ASSIGN_OR_RETURN(Key key, NewKey(options_.token_lifetime));
  HEADRACE_RETURN_IF_ERROR(
      WriteFile(management ? key : management_, management ? inference_ : key));
  const std::lock_guard lock(mutex_);
  (management ? management_ : inference_) = std::move(key);
  return OkStatus();
}

}  // namespace headrace::torchserve
