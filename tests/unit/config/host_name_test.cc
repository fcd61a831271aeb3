// SPDX-License-Identifier: MIT
#include "config/host_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace popsync::config {
namespace {

TEST(FaultOfHost, AcceptsNamesAndAddresses) {
  for (const std::string_view host : {"pop.example.org", "localhost", "POP3.Example.ORG", "mail_1.example.org", "xn--bcher-kva.example",
                                      "b\xC3\xBC"
                                      "cher.example",
                                      "127.0.0.1", "::1", "2001:db8::1", "3com.example", "notme.com", "me.com.example.org"}) {
    EXPECT_EQ(fault_of_host(host), std::nullopt) << host;
  }
  EXPECT_EQ(fault_of_host(std::string(63, 'a') + ".org"), std::nullopt);
}

TEST(FaultOfHost, RefusesWhatNoResolverCouldUse) {
  for (const std::string_view host : {"", ".", "a..b", "-a.org", "a-.org", "a/b", "a,b", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "a:b", ":995"}) {
    EXPECT_NE(fault_of_host(host), std::nullopt) << host;
  }
  EXPECT_NE(fault_of_host(std::string(64, 'a') + ".org"), std::nullopt);
  EXPECT_NE(fault_of_host(std::string_view("a\0b", 3)), std::nullopt);
}

TEST(FaultOfHost, TellsHowItIsWrittenRight) {
  EXPECT_THAT(fault_of_host("pop.example.org:995").value_or(""), testing::HasSubstr("write port = 995"));
  EXPECT_THAT(fault_of_host("pop3://pop.example.org").value_or(""), testing::HasSubstr("is a URL"));
  EXPECT_THAT(fault_of_host("[::1]").value_or(""), testing::HasSubstr("brackets"));
  EXPECT_THAT(fault_of_host("imap.mail.me.com").value_or(""), testing::HasSubstr("no POP3"));
}

TEST(LowerCase, ChangesAsciiLettersAlone) { EXPECT_EQ(lower_case("POP.\xC3\x84.Org"), "pop.\xC3\x84.org"); }

}  // namespace
}  // namespace popsync::config
