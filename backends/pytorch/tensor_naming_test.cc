#include "pytorch/tensor_naming.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<TensorConfig> Named(const std::vector<std::string>& names) {
  std::vector<TensorConfig> tensors;
  for (const std::string& name : names) {
    tensors.emplace_back().name = name;
  }
  return tensors;
}

const CallPlaces kForward{.what = "input", .names = {"x", "mask", "scale"}, .count = 3};

std::vector<std::size_t> Places(const CallPlaces& call, const std::vector<std::string>& names) {
  std::vector<std::size_t> places;
  const Error error = AssignPlaces(call, Named(names), &places);
  EXPECT_TRUE(error.ok()) << error.message();
  return places;
}

std::string Refusal(const CallPlaces& call, const std::vector<std::string>& names) {
  std::vector<std::size_t> places;
  const Error error = AssignPlaces(call, Named(names), &places);
  return error.ok() ? "" : error.message();
}

TEST(AssignPlaces, ByNameOfThePlaceInAnyOrder) {
  EXPECT_THAT(Places(kForward, {"scale", "x"}), ElementsAre(2, 0));
}

TEST(AssignPlaces, ByIndexWhateverStandsBeforeIt) {
  EXPECT_THAT(Places(kForward, {"INPUT__2", "a__b__0", "__1"}), ElementsAre(2, 0, 1));
}

TEST(AssignPlaces, ByOrderWhereNamesSayNothing) {
  EXPECT_THAT(Places(kForward, {"image", "a__b", "c__"}), ElementsAre(0, 1, 2));
}

TEST(AssignPlaces, ByOrderWhereSomeNamesSayTheSame) {
  EXPECT_THAT(Places(kForward, {"x", "weights"}), ElementsAre(0, 1));
}

TEST(AssignPlaces, PlacesWithoutNamesOrCount) {
  const CallPlaces unknown{.what = "output", .names = {}, .count = {}};
  EXPECT_THAT(Places(unknown, {"y__7", "y__0"}), ElementsAre(7, 0));
  EXPECT_THAT(Places(unknown, {"a", "b"}), ElementsAre(0, 1));
}

TEST(AssignPlaces, RefusesANameThatItsOrderContradicts) {
  EXPECT_THAT(Refusal(kForward, {"image", "x"}), HasSubstr("'x' means place 0"));
  EXPECT_THAT(Refusal(kForward, {"image", "IN__0"}), HasSubstr("'IN__0' means place 0"));
}

TEST(AssignPlaces, RefusesAPlaceThatIsNotThere) {
  const std::string text = Refusal(kForward, {"a__0", "a__3"});
  EXPECT_THAT(text, HasSubstr("unexpected inference input 'a__3', allowed inputs are: x (or "
                              "INPUT__0), mask (or INPUT__1), scale (or INPUT__2)"));
  EXPECT_THAT(Refusal(kForward, {"a", "b", "c", "d"}), HasSubstr("unexpected inference input 'd'"));
}

TEST(AssignPlaces, RefusesAPlaceTwice) {
  EXPECT_THAT(Refusal(kForward, {"a__1", "b__1"}), HasSubstr("'a__1' and 'b__1' are both place 1"));
}

TEST(AssignPlaces, AnIndexThatOverflowsIsNoIndex) {
  EXPECT_THAT(Places(kForward, {"a__99999999999999999999999"}), ElementsAre(0));
}

std::vector<std::size_t> Places(const CallPlaces& call, const std::vector<std::string>& names,
                                const std::vector<std::string>& sequence) {
  std::vector<std::size_t> places;
  const Error error = AssignPlaces(call, Named(names), Named(sequence), &places);
  EXPECT_TRUE(error.ok()) << error.message();
  return places;
}

std::string Refusal(const CallPlaces& call, const std::vector<std::string>& names,
                    const std::vector<std::string>& sequence) {
  std::vector<std::size_t> places;
  const Error error = AssignPlaces(call, Named(names), Named(sequence), &places);
  return error.ok() ? "" : error.message();
}

TEST(AssignPlacesOfSequences, AllAlike) {
  EXPECT_THAT(Places(kForward, {"scale"}, {"x", "mask"}), ElementsAre(2, 0, 1));
  EXPECT_THAT(Places(kForward, {"INPUT__1"}, {"START__2", "STATE__0"}), ElementsAre(1, 2, 0));
  EXPECT_THAT(Places(kForward, {"image"}, {"start", "state"}), ElementsAre(0, 1, 2));
}

TEST(AssignPlacesOfSequences, ControlsByIndexBesideInputsByNameOrByOrder) {
  EXPECT_THAT(Places(kForward, {"mask"}, {"START__2", "STATE__0"}), ElementsAre(1, 2, 0));
  EXPECT_THAT(Places(kForward, {"image"}, {"START__2", "STATE__1"}), ElementsAre(0, 2, 1));
}

TEST(AssignPlacesOfSequences, ControlsByNameBesideInputsByIndex) {
  EXPECT_THAT(Places(kForward, {"INPUT__1"}, {"scale", "STATE__0"}), ElementsAre(1, 2, 0));
}

TEST(AssignPlacesOfSequences, RefusesPlacesTakenTwiceAndThoseBeyondTheCall) {
  EXPECT_THAT(Refusal(kForward, {"image"}, {"START__0"}),
              HasSubstr("inputs 'image' and 'START__0' are both place 0"));
  EXPECT_THAT(Refusal(kForward, {"image"}, {"START__3"}), HasSubstr("unexpected inference input"));
  EXPECT_THAT(Refusal(kForward, {"image"}, {"start", "scale__1"}),
              HasSubstr("'scale__1' means place 1"));
}

}  // namespace
}  // namespace headrace::backend
