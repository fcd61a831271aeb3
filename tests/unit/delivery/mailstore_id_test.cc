// SPDX-License-Identifier: MIT
#include "delivery/mailstore_id.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace popsync::delivery {
namespace {

MailstoreId example() {
  return {.id = "00112233445566778899aabbccddeeff",
          .install_key = std::string("\0\n \xff", 4) + std::string(28, 'k'),
          .accounts = {{.id = "0123456789abcdef", .user = "me@example.org", .host = "pop.example.org"},
                       {.id = "fedcba9876543210", .user = "name with blanks\nand a line", .host = "::1", .port = 10995}}};
}

TEST(MailstoreId, ComesBackFromItsText) {
  const auto parsed = parse_mailstore_id(format_mailstore_id(example()));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->id, example().id);
  EXPECT_EQ(parsed->install_key, example().install_key);
  EXPECT_EQ(parsed->accounts, example().accounts);
}

TEST(MailstoreId, MayNameNoAccountOrMany) {
  MailstoreId id = example();
  id.accounts.clear();
  EXPECT_TRUE(parse_mailstore_id(format_mailstore_id(id))->accounts.empty());
  for (int i = 0; i < 300; ++i) {
    id.accounts.push_back({.id = to_hex(random_octets(8)), .user = random_octets(20), .host = random_octets(20)});
  }
  EXPECT_LE(format_mailstore_id(id).size(), kIdFileOctetsMax);
  EXPECT_EQ(parse_mailstore_id(format_mailstore_id(id))->accounts, id.accounts);
}

TEST(MailstoreId, TheKeyAndForeignOctetsAreHexadecimal) {
  const std::string text = format_mailstore_id(example());
  EXPECT_EQ(text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz \n"), std::string::npos) << text;
}

TEST(MailstoreId, DamagedTextIsNoId) {
  const std::string good = format_mailstore_id(example());
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string out = good;
    return out.replace(out.find(what), what.size(), by);
  };
  const std::vector<std::string> damaged = {
      "",
      "\n",
      std::string(good.size(), '\0'),              // zeros after a power cut
      good.substr(0, good.find("id ")),            // cut behind the first line
      good.substr(0, good.find("key ")),           // cut behind the id
      good.substr(0, good.find("key ") + 20),      // cut inside the key
      good.substr(0, good.find("key ") + 4 + 62),  // one octet short
      good.substr(1),
      "x" + good,
      replaced("mailstore 1", "mailstore 2"),  // a later form
      replaced("key ", "kex "),
      replaced("id 0", "ix 0"),
      replaced("key 000a", "key 00zz"),
      replaced("key 000a", "key 00"),
      replaced("key 000a", "key 000a00"),
      replaced("0123456789abcdef 6d65", "0123456789abcdef 6dz5"),
      replaced("0123456789abcdef 6d65", "0123456789abcdef 6d6"),
  };
  for (const std::string& text : damaged) EXPECT_FALSE(parse_mailstore_id(text).has_value()) << text;
}

}  // namespace
}  // namespace popsync::delivery
