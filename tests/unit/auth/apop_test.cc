// SPDX-License-Identifier: MIT
#include "auth/apop.h"

#include <gtest/gtest.h>

#include <string>

namespace popsync::auth {
namespace {

TEST(Apop, AnswersTheExampleOfRfc1939) {
  EXPECT_EQ(apop_digest("<1896.697170952@dbc.mtview.ca.us>", "tanstaaf"), "c4c9334bac560ecc979e58001b3e22fb");
}

// protocol.md 8
TEST(Apop, TheStampIsFoundAnywhereInTheGreeting) {
  const std::string stamp = "<1896.697170952@dbc.mtview.ca.us>";
  EXPECT_EQ(find_apop_stamp("POP3 server ready " + stamp), stamp);
  EXPECT_EQ(find_apop_stamp(stamp + " POP3 server ready"), stamp);
  EXPECT_EQ(find_apop_stamp("POP3 " + stamp + " ready"), stamp);
  EXPECT_EQ(find_apop_stamp(stamp), stamp);
}

// protocol.md 9, CVE-2007-1558: the collisions need octets that no message-id holds.
TEST(Apop, AStampThatIsNoMessageIdIsRefused) {
  for (const std::string greeting :
       {"ready",         "",        "<>",        "<a>",       "<@b>",     "<a@>",   "<a@b",   "a@b>",   "> <a@b",  "<a b@c>",
        "<a@b c>",       "<a@b@c>", "<a\x80@c>", "<a@\xff>",  "<.a@b>",   "<a.@b>", "<a@b.>", "<a@.b>", "<<a@b>>", "<a\"x\"@b>",
        "<a@[1.2.3.4]>", "<a\\@b>", "<a\x01@b>", "<a\x7f@b>", "<a(x)@b>", "<a,b@c>"}) {
    EXPECT_FALSE(find_apop_stamp(greeting).has_value()) << greeting;
  }
  EXPECT_FALSE(find_apop_stamp(std::string("<a\0@b>", 6)).has_value());
}

}  // namespace
}  // namespace popsync::auth
