#include "frontend/client_key.h"

#include "frontend/grpc_fixture.h"

namespace headrace::frontend {
namespace {

class ClientKeyTest : public GrpcFixture {
 protected:
  std::uint64_t KeyOf(const FrontEndOptions& options, Metadata metadata) {
    return ClientKey(options, FakeGrpcCall(loop_, "/p/m", 1, std::move(metadata)));
  }
};

TEST_F(ClientKeyTest, IsTheHost_UnlessAHeaderIsNamed) {
  EXPECT_EQ(KeyOf({}, {{"x-client", "a"}}), 0U);  // the fake comes from nowhere
}

TEST_F(ClientKeyTest, TellsClientsApart_ByTheHeaderThatIsNamed) {
  FrontEndOptions options;
  options.client_header = "x-client";
  const std::uint64_t a = KeyOf(options, {{"other", "b"}, {"x-client", "a"}});
  EXPECT_NE(a, 0U);
  EXPECT_EQ(KeyOf(options, {{"x-client", "a"}}), a);
  EXPECT_NE(KeyOf(options, {{"x-client", "b"}}), a);
}

TEST_F(ClientKeyTest, IsTheHost_WhereTheHeaderIsMissingOrEmpty) {
  FrontEndOptions options;
  options.client_header = "x-client";
  EXPECT_EQ(KeyOf(options, {{"x-clients", "a"}}), 0U);
  EXPECT_EQ(KeyOf(options, {{"x-client", ""}}), 0U);
}

}  // namespace
}  // namespace headrace::frontend
