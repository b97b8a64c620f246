#include "store/url_fetcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "store/testing/scripted_http.h"

namespace headrace::store {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ScriptedAnswer;
using testing::ScriptedHttp;
using ::testing::SizeIs;
using ::testing::StartsWith;

class UrlFetcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "fetcherXXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    store_ = name + "/store";
    std::filesystem::create_directories(store_);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  StoreError Fetch(const std::vector<std::string>& allowed, const std::string& url) {
    UrlFetcher fetcher(UrlPolicy::Make(allowed).value(), options_);
    return fetcher.Fetch(url, Target(), false);
  }
  // From a server whose place is allowed.
  StoreError FetchFrom(const ScriptedHttp& server, const std::string& path) {
    return Fetch({server.Url("/")}, server.Url(path));
  }

  std::string Target() const { return store_ + "/a.mar"; }
  std::string Content() const {
    std::ifstream file(Target());
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<std::string> FilesInStore() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(store_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

  UrlFetcherOptions options_;
  std::string root_, store_;
};

TEST_F(UrlFetcherTest, FetchesOverHttp_AsAWholeFileOfItsOwner) {
  ScriptedHttp server([](const std::string&) { return ScriptedAnswer::Ok("archive"); });
  const StoreError error = FetchFrom(server, "/models/a.mar?version=1");
  ASSERT_TRUE(error.ok()) << error.message;
  EXPECT_EQ(Content(), "archive");
  EXPECT_THAT(FilesInStore(), SizeIs(1));
  struct stat facts;
  ASSERT_EQ(stat(Target().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_THAT(server.requests().at(0), StartsWith("GET /models/a.mar?version=1 HTTP/1.1\r\n"));
}

TEST_F(UrlFetcherTest, LeavesAFileThatIsThereAlone) {
  ScriptedHttp server([](const std::string&) { return ScriptedAnswer::Ok("archive"); });
  Write(Target(), "mine");
  const StoreError error = FetchFrom(server, "/a.mar");
  EXPECT_EQ(error.fault, StoreFault::kInternal);
  EXPECT_EQ(error.message, "Model file already exists a.mar");
  EXPECT_EQ(Content(), "mine");
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(UrlFetcherTest, LeavesAFileThatAppearsMeanwhileAlone) {
  ScriptedHttp server([this](const std::string&) {
    Write(Target(), "mine");
    return ScriptedAnswer::Ok("archive");
  });
  EXPECT_EQ(FetchFrom(server, "/a.mar").message, "Model file already exists a.mar");
  EXPECT_EQ(Content(), "mine");
  EXPECT_THAT(FilesInStore(), SizeIs(1));
}

// Nothing is fetched unless somebody allowed it; what is, never reaches into the server's own
// network because an expression happens to match.
TEST_F(UrlFetcherTest, Cve202343654_NothingIsFetchedFromWhereNobodyAllowedIt) {
  ScriptedHttp server([](const std::string&) { return ScriptedAnswer::Ok("archive"); });
  const std::string local = fmt::format("http://localhost:{}/a.mar", server.port());
  const std::string mapped = fmt::format("http://[::ffff:127.0.0.1]:{}/a.mar", server.port());
  const std::vector<std::vector<std::string>> policies = {
      {}, {"http(s)?://.*"}, {"file://.*|http(s)?://.*"}, {"http://allowed.example/"}};
  for (const std::vector<std::string>& allowed : policies) {
    for (const std::string& url :
         {server.Url("/a.mar"), local, mapped, fmt::format("http://0.0.0.0:{}/a", server.port()),
          fmt::format("http://2130706433:{}/a", server.port()),
          fmt::format("http://0177.0.0.1:{}/a", server.port()),
          fmt::format("http://0x7f.1:{}/a", server.port()),
          fmt::format("http://allowed.example@127.0.0.1:{}/a", server.port()),
          std::string("http://169.254.169.254/latest/meta-data"), std::string("http://[::1]/a"),
          std::string("gopher://127.0.0.1/a")}) {
      const StoreError error = Fetch(allowed, url);
      EXPECT_EQ(error.fault, StoreFault::kModelNotFound) << url;
      EXPECT_THAT(error.message,
                  StartsWith("Given URL " + url + " does not match any allowed URL(s)"));
    }
  }
  EXPECT_EQ(Fetch({}, "file:///etc/passwd").fault, StoreFault::kModelNotFound);
  EXPECT_EQ(Fetch({"http(s)?://.*"}, "file:///etc/passwd").fault, StoreFault::kModelNotFound);
  EXPECT_THAT(server.requests(), IsEmpty());
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, Cve202435198_DotsLeadNowhere) {
  const std::string allowed = root_ + "/allowed";
  std::filesystem::create_directories(allowed);
  Write(root_ + "/secret", "secret");
  Write(allowed + "/a.mar", "archive");
  std::filesystem::create_symlink(root_ + "/secret", allowed + "/link.mar");
  for (const std::string& entry :
       {"file://" + allowed + "/.*", "file://" + allowed, "file://" + allowed + "/[a-z.%0-9/]*"}) {
    const StoreError dots = Fetch({entry}, "file://" + allowed + "/../secret");
    EXPECT_EQ(dots.fault, StoreFault::kModelNotFound);
    EXPECT_THAT(dots.message, StartsWith("Relative path is not allowed in url: "));
    EXPECT_EQ(Fetch({entry}, "file://" + allowed + "/%2e%2e/secret").fault,
              StoreFault::kModelNotFound);
    EXPECT_EQ(Fetch({entry}, "file://" + allowed + "/link.mar").fault, StoreFault::kModelNotFound);
    EXPECT_THAT(FilesInStore(), IsEmpty());
    const StoreError error = Fetch({entry}, "file://" + allowed + "/a.mar");
    EXPECT_TRUE(error.ok()) << error.message;
    EXPECT_EQ(Content(), "archive");
    std::filesystem::remove(Target());
  }
}

TEST_F(UrlFetcherTest, CopiesRegularFilesOnly) {
  ASSERT_EQ(mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  for (const char* name : {"/pipe", "/missing", "/store"}) {
    EXPECT_EQ(Fetch({"file://" + root_}, "file://" + root_ + name).fault, StoreFault::kDownload);
  }
  EXPECT_EQ(Fetch({"file:///dev"}, "file:///dev/zero").fault, StoreFault::kDownload);
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, CopiesNoFileThatIsTooLarge) {
  Write(root_ + "/large", std::string(1001, 'a'));
  options_.byte_size_max = 1000;
  const StoreError error = Fetch({"file://" + root_}, "file://" + root_ + "/large");
  EXPECT_EQ(error.fault, StoreFault::kDownload);
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, FollowsRedirects_WhereEachIsAllowed) {
  ScriptedHttp server([](const std::string& path) {
    return path == "/3" ? ScriptedAnswer::Ok("archive")
                        : ScriptedAnswer::Redirect("/" + std::to_string(path.back() - '0' + 1));
  });
  const StoreError error = FetchFrom(server, "/0");
  EXPECT_TRUE(error.ok()) << error.message;
  EXPECT_EQ(Content(), "archive");
  EXPECT_THAT(server.requests(), SizeIs(4));
}

TEST_F(UrlFetcherTest, FollowsNoRedirectToWhatIsNotAllowed) {
  ScriptedHttp other([](const std::string&) { return ScriptedAnswer::Ok("secret"); });
  std::string location;
  ScriptedHttp server([&](const std::string&) { return ScriptedAnswer::Redirect(location); });
  for (const std::string& to :
       {other.Url("/a.mar"), std::string("file:///etc/passwd"), std::string("gopher://127.0.0.1/"),
        std::string("http://169.254.169.254/"), std::string("//evil/a"),
        fmt::format("http://127.0.0.1:{}@127.0.0.1:{}/", server.port(), other.port())}) {
    location = to;
    EXPECT_EQ(FetchFrom(server, "/a.mar").fault, StoreFault::kModelNotFound) << to;
  }
  EXPECT_THAT(other.requests(), IsEmpty());
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, GivesUpAfterTooManyRedirects) {
  ScriptedHttp server([](const std::string& path) { return ScriptedAnswer::Redirect(path + "a"); });
  const StoreError error = FetchFrom(server, "/a");
  EXPECT_EQ(error.fault, StoreFault::kDownload);
  EXPECT_THAT(error.message, HasSubstr("more than 5 redirects"));
  EXPECT_THAT(server.requests(), SizeIs(6));
}

TEST_F(UrlFetcherTest, RefusesAnswersThatAreNotWhole) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const ScriptedAnswer answers[] = {
      {ok + "Content-Length: 100\r\n\r\nshort"},
      {ok + "Content-Length: 100\r\n\r\n" + std::string(99, 'a'), ScriptedAnswer::Then::kReset},
      {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"},
      {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {ok + "Content-Length: 1001\r\n\r\n" + std::string(1001, 'a')},
      {ok + "Content-Length: 99999999999999999999\r\n\r\n"},
      {ok + "\r\n" + std::string(100, 'a'), ScriptedAnswer::Then::kRepeat},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nerror"},
      {"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\nparts"},
      {"HTTP/1.1 500 Broken\r\n\r\n", ScriptedAnswer::Then::kRepeat},
      {"no HTTP"},
      {""},
  };
  options_.byte_size_max = 1000;
  for (const ScriptedAnswer& answer : answers) {
    ScriptedHttp server([&](const std::string&) { return answer; });
    const StoreError error = FetchFrom(server, "/a.mar");
    EXPECT_EQ(error.fault, StoreFault::kDownload) << answer.bytes;
    EXPECT_THAT(error.message, StartsWith("Failed to download archive from: http://127.0.0.1"));
    EXPECT_THAT(FilesInStore(), IsEmpty()) << answer.bytes;
  }
}

TEST_F(UrlFetcherTest, EndsAFetchThatStalls) {
  ScriptedHttp server([](const std::string&) -> ScriptedAnswer {
    return {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow", ScriptedAnswer::Then::kHold};
  });
  options_.timeout_ms = 200;
  EXPECT_EQ(FetchFrom(server, "/a.mar").fault, StoreFault::kDownload);
  options_.timeout_ms = 60'000;
  options_.byte_rate_window_s = 1;
  EXPECT_EQ(FetchFrom(server, "/a.mar").fault, StoreFault::kDownload);
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, StopEndsWhatIsUnderWay) {
  UrlFetcher* running = nullptr;
  ScriptedHttp server([&](const std::string&) -> ScriptedAnswer {
    running->Stop();
    return {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow", ScriptedAnswer::Then::kHold};
  });
  UrlFetcher fetcher(UrlPolicy::Make({server.Url("/")}).value(), options_);
  running = &fetcher;
  EXPECT_EQ(fetcher.Fetch(server.Url("/a"), Target(), false).fault, StoreFault::kDownload);
  EXPECT_THAT(FilesInStore(), IsEmpty());
}

TEST_F(UrlFetcherTest, SaysWhenAFileCannotBeKept) {
  ScriptedHttp server([](const std::string&) { return ScriptedAnswer::Ok("archive"); });
  UrlFetcher fetcher(UrlPolicy::Make({server.Url("/")}).value(), options_);
  const StoreError error = fetcher.Fetch(server.Url("/a"), store_ + "/missing/a.mar", false);
  EXPECT_EQ(error.fault, StoreFault::kInternal);
  EXPECT_THAT(error.message, StartsWith("Failed to save model: " + server.Url("/a")));
}

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return std::string(reinterpret_cast<char*>(digest), size);
}

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

std::string Sha256(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return Hex(std::string(reinterpret_cast<char*>(digest), size));
}

std::string HeaderOf(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  EXPECT_NE(at, std::string::npos) << name << " in " << head;
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

TEST_F(UrlFetcherTest, SignsRequestsToS3_AsAmazonDescribesIt) {
  ScriptedHttp server([](const std::string&) { return ScriptedAnswer::Ok("archive"); });
  options_.s3 = {"AKID", "secret", "session", "eu-west-1", server.Url("")};
  UrlFetcher fetcher(UrlPolicy::Make({server.Url("/")}).value(), options_);
  ASSERT_TRUE(fetcher.Fetch(server.Url("/bucket/folder/a.mar"), Target(), true).ok());
  const std::string head = server.requests().at(0);
  const std::string date = HeaderOf(head, "X-Amz-Date");
  const std::string authorization = HeaderOf(head, "Authorization");
  const std::string names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
  EXPECT_THAT(authorization, HasSubstr("SignedHeaders=" + names));
  const std::string canonical = fmt::format(
      "GET\n/bucket/folder/a.mar\n\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n"
      "x-amz-security-token:session\n\n{}\n{}",
      HeaderOf(head, "Host"), Sha256(""), date, names, Sha256(""));
  const std::string scope = date.substr(0, 8) + "/eu-west-1/s3/aws4_request";
  const std::string key =
      Hmac(Hmac(Hmac(Hmac("AWS4secret", date.substr(0, 8)), "eu-west-1"), "s3"), "aws4_request");
  const std::string signature =
      Hex(Hmac(key, fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, Sha256(canonical))));
  EXPECT_EQ(authorization,
            fmt::format("AWS4-HMAC-SHA256 Credential=AKID/{}, SignedHeaders={}, Signature={}",
                        scope, names, signature));
}

TEST_F(UrlFetcherTest, SignsNothingElse) {
  const S3Access access = {"AKID", "secret", "", "us-east-1", "http://localhost:9000"};
  for (const char* url :
       {"https://bucket.s3.eu-west-1.amazonaws.com/a", "https://s3.amazonaws.com/b/a",
        "https://bucket.s3-eu-west-1.amazonaws.com/a", "http://localhost:9000/b",
        "https://b.s3.cn-north-1.amazonaws.com.cn/a"}) {
    EXPECT_TRUE(access.Signs(*SourceUrl::Parse(url))) << url;
  }
  for (const char* url : {"https://bucket.s3.amazonaws.com.evil.com/a", "https://host/a",
                          "http://bucket.s3.amazonaws.com/a", "https://ec2.amazonaws.com/a",
                          "https://b.s3.amazonaws.com/a?X-Amz-Signature=0"}) {
    EXPECT_FALSE(access.Signs(*SourceUrl::Parse(url))) << url;
  }
  EXPECT_FALSE(S3Access().Signs(*SourceUrl::Parse("https://s3.amazonaws.com/b/a")));
  EXPECT_THAT(UrlFetcher(UrlPolicy::Make({"https://s3.amazonaws.com/"}).value(), options_)
                  .Fetch("https://s3.amazonaws.com/b/a", Target(), true)
                  .message,
              HasSubstr("AWS_ACCESS_KEY_ID"));
}

}  // namespace
}  // namespace headrace::store
