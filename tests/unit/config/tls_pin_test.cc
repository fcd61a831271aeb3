// SPDX-License-Identifier: MIT
#include "config/tls_pin.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/random.h"

namespace popsync::config {
namespace {

constexpr std::string_view kHex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kBase64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

TEST(ParsePin, ReadsHexadecimalDigitsWithAndWithoutColons) {
  EXPECT_EQ(parse_pin(kHex), sha256(""));
  EXPECT_EQ(parse_pin("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"), sha256(""));
  std::string colons;
  for (std::size_t i = 0; i < kHex.size(); i += 2) colons += (i == 0 ? "" : ":") + std::string(kHex.substr(i, 2));
  EXPECT_EQ(parse_pin(colons), sha256(""));
}

TEST(ParsePin, ReadsBase64WithAndWithoutPadding) {
  EXPECT_EQ(parse_pin(kBase64), sha256(""));
  EXPECT_EQ(parse_pin(kBase64.substr(0, 43)), sha256(""));
}

TEST(ParsePin, RefusesWhatIsNot32Octets) {
  for (const std::string& text : {std::string(), std::string(kHex.substr(2)), std::string(kHex) + "00", std::string(kHex.substr(1)),
                                  ":" + std::string(kHex), std::string(kHex) + ":", std::string(kBase64.substr(0, 42)), std::string(kBase64) + "=",
                                  std::string(kBase64.substr(0, 43)) + "==", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=" + std::string(),
                                  "sha256//" + std::string(kBase64)}) {
    EXPECT_EQ(parse_pin(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace popsync::config
