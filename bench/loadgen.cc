// The load generator alone, against a server that is there: what it costs, and how true its times
// are.
//
//   loadgen closed URL CONNECTIONS SECONDS [BODY [HEADER...]]
//   loadgen open URL RATE SECONDS [BODY [HEADER...]]
//   loadgen blocking URL 1 SECONDS
//   loadgen stub DELAY_US CONNECTIONS SECONDS
//
// `blocking` is the witness: one socket, send and recv with a clock around them, nothing of the
// load generator. `stub` loads a server in this process that answers after a known time and keeps
// its own times; they are printed as `stub_us`.
//
// URL is http://ADDRESS:PORT/PATH; BODY a file that is sent (without one: GET). Prints one JSON
// object: the requests, their rate, the processor time of the sender's thread for each request in
// us, and in us the percentiles of response time, service time and send lag.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/checked_math.h"
#include "load/hdr_histogram.h"
#include "load/sender.h"
#include "load/socket_address.h"
#include "load/testing/stub_server.h"

namespace headrace::load {
namespace {

// As `bench` does: every record into three histograms.
class Histograms final : public RecordSink {
 public:
  void Take(std::span<const RequestRecord> records) override {
    for (const RequestRecord& record : records) {
      if (record.outcome != Outcome::kOk) {
        ++failed_count;
        last_failure = record.outcome;
        continue;
      }
      response.Record(record.response_time());
      service.Record(record.service_time());
      lag.Record(record.send_lag());
    }
  }
  HdrHistogram response, service, lag;
  std::uint64_t failed_count = 0;
  Outcome last_failure = Outcome::kOk;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "loadgen: %s\n", message.c_str());
  std::exit(1);
}

std::string Percentiles(const HdrHistogram& histogram) {
  const auto at = [&](double percentile) {
    return static_cast<double>(histogram.ValueAtPercentile(percentile)) / kMicrosecond;
  };
  return fmt::format(
      R"({{"mean":{:.2f},"p50":{:.2f},"p90":{:.2f},"p99":{:.2f},"p99.9":{:.2f},"max":{:.2f}}})",
      histogram.Mean() / kMicrosecond, at(50), at(90), at(99), at(99.9), at(100));
}

TargetSpec ParseUrl(std::string_view url) {
  TargetSpec target;
  target.protocol = Protocol::kRawHttp;
  static constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    Fail("the URL has to begin with http://");
  }
  url.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  const std::size_t colon = url.substr(0, slash).rfind(':');
  const auto port = colon == std::string_view::npos
                        ? std::nullopt
                        : ParseDecimal<std::uint16_t>(url.substr(colon + 1, slash - colon - 1));
  if (!port) {
    Fail("the URL has no port");
  }
  target.host = url.substr(0, colon);
  target.port = *port;
  target.path = url.substr(slash);
  return target;
}

// The same question over one blocking socket.
int Witness(const TargetSpec& target, double seconds) {
  auto addresses = ResolveTarget(target);
  if (!addresses.ok()) {
    Fail(addresses.status().ToString());
  }
  const SocketAddress& address = addresses->front();
  const UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    Fail("the witness cannot connect");
  }
  const std::string question =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", target.path, AddressText(target));
  HdrHistogram service;
  std::vector<char> answer(65536);
  const Nanos stop = Clock::Real().Now() + static_cast<Nanos>(seconds * kSecond);
  for (Nanos sent = Clock::Real().Now(); sent < stop; sent = Clock::Real().Now()) {
    if (::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) <= 0 ||
        ::recv(fd.get(), answer.data(), answer.size(), 0) <= 0) {
      Fail("the witness has no answer");
    }
    service.Record(Clock::Real().Now() - sent);
  }
  fmt::print(R"({{"requests":{},"requests_per_s":{:.1f},"service_us":{}}})"
             "\n",
             service.count(), static_cast<double>(service.count()) / seconds, Percentiles(service));
  return 0;
}

std::string StubTimesText(StubServer& server) {
  HdrHistogram own;
  for (const StubTimes& times : server.times()) {
    if (times.answered != 0) {
      own.Record(times.answered - times.arrived);
    }
  }
  return fmt::format(R"(,"stub_us":{})", Percentiles(own));
}

int Main(const std::vector<std::string>& arguments) {
  static constexpr std::array<std::string_view, 4> kModes = {"closed", "open", "blocking", "stub"};
  if (arguments.size() < 4 ||
      std::find(kModes.begin(), kModes.end(), arguments[0]) == kModes.end()) {
    Fail(
        "usage: loadgen closed|open|blocking|stub URL|DELAY_US CONNECTIONS|RATE SECONDS "
        "[BODY [HEADER...]]");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<StubServer> stub;
  std::string url = arguments[1];
  if (arguments[0] == "stub") {
    const Nanos delay = std::strtol(url.c_str(), nullptr, 10) * kMicrosecond;
    stub = std::make_unique<StubServer>([delay](const StubRequest&) {
      StubReply reply;
      reply.bytes = HttpAnswer(200, "{}");
      reply.delay = delay;
      return reply;
    });
    stub->KeepNoRequests();
    url = fmt::format("http://127.0.0.1:{}/", stub->port());
  }
  TargetSpec target = ParseUrl(url);
  SenderOptions options;
  const double amount = std::strtod(arguments[2].c_str(), nullptr);
  const double seconds = std::strtod(arguments[3].c_str(), nullptr);
  if (arguments[0] == "blocking") {
    return Witness(target, seconds);
  }
  if (arguments[0] != "open") {
    options.arrivals.kind = ArrivalSpec::Kind::kClosed;
    options.arrivals.concurrency = static_cast<int>(amount);
    target.connections_max = options.arrivals.concurrency;
  } else {
    options.arrivals.rate = amount;
  }
  Workload workload;
  workload.items.resize(1);
  workload.items[0].contents.resize(1);
  if (arguments.size() > 4) {
    std::ifstream file(arguments[4], std::ios::binary);
    if (!file) {
      Fail("the body cannot be read");
    }
    workload.items[0].contents[0].body = std::make_shared<const std::string>(
        std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (std::size_t i = 5; i < arguments.size(); ++i) {
    const std::size_t colon = arguments[i].find(": ");
    if (colon == std::string::npos) {
      Fail("a header is NAME: VALUE");
    }
    target.headers.emplace_back(arguments[i].substr(0, colon), arguments[i].substr(colon + 2));
  }
  auto factory = MakeTransportFactory(target, workload);
  if (!factory.ok()) {
    Fail(factory.status().ToString());
  }
  Histograms records;
  Sender sender(options, workload, **factory, records);
  if (const Status status = sender.Connect(); !status.ok()) {
    Fail(status.ToString());
  }
  const Nanos start = Clock::Real().Now();
  sender.Start(start);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const Nanos stop = Clock::Real().Now();
  sender.StopAt(stop + 5 * kSecond);
  sender.Join();
  const double elapsed = static_cast<double>(stop - start) / kSecond;
  const auto count = static_cast<double>(records.service.count());
  fmt::print(
      R"({{"requests":{},"failed":{},"failure":"{}","requests_per_s":{:.1f},"cpu_us":{:.3f},)"
      R"("response_us":{},"service_us":{},"lag_us":{}{}}})"
      "\n",
      records.service.count(), records.failed_count, OutcomeName(records.last_failure),
      count / elapsed, static_cast<double>(sender.figures().cpu_time) / kMicrosecond / count,
      Percentiles(records.response), Percentiles(records.service), Percentiles(records.lag),
      stub ? StubTimesText(*stub) : "");
  return 0;
}

}  // namespace
}  // namespace headrace::load

int main(int argc, char** argv) { return headrace::load::Main({argv + 1, argv + argc}); }
