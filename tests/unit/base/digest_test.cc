// SPDX-License-Identifier: MIT
#include "base/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "base/random.h"

namespace popsync {
namespace {

TEST(Sha256, AnswersTheVectorsOfFips180) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  Sha256 digest;
  digest.update("");
  digest.update("a");
  digest.update("bc");
  EXPECT_EQ(digest.finish(), sha256("abc"));
}

TEST(Sha256, AForkGoesItsOwnWay) {
  Sha256 left;
  left.update("ab");
  Sha256 right = left.fork();
  left.update("c");
  right.update("d");
  EXPECT_EQ(left.finish(), sha256("abc"));
  EXPECT_EQ(right.finish(), sha256("abd"));
}

TEST(Sha256, AMovedDigestGoesOn) {
  Sha256 digest;
  digest.update("ab");
  Sha256 moved = std::move(digest);
  moved.update("c");
  EXPECT_EQ(moved.finish(), sha256("abc"));
}

TEST(HmacSha256, AnswersTheVectorsOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const HmacSha256 prepared(std::string(20, '\x0b'));
  EXPECT_EQ(prepared.of("Hi There"), prepared.of("Hi There"));  // one input leaves nothing for the next
  EXPECT_EQ(to_hex(prepared.of("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Md5, AnswersTheVectorsOfRfc1321) {
  EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST(Hex, TwoLowerCaseDigitsAnOctet) {
  EXPECT_EQ(to_hex(""), "");
  EXPECT_EQ(to_hex(std::string("\0\x0f\xa0\xff", 4)), "000fa0ff");
}

TEST(Random, GivesAsManyOctetsAsAskedAndNeverTheSame) {
  EXPECT_EQ(random_octets(0), "");
  EXPECT_EQ(random_octets(256).size(), 256U);
  std::set<std::string> octets;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(octets.insert(random_octets(16)).second);
    EXPECT_TRUE(numbers.insert(random_u64()).second);
  }
}

}  // namespace
}  // namespace popsync
