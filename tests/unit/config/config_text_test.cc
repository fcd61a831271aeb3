// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "config/config_keys.h"
#include "config/config_loader.h"
#include "unit/config/temp_folder.h"

namespace popsync::config {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kText = R"([daemon]
log_format = "plain"
[defaults]
interval = "7m"
maildir = "~/Mail/{name}"
[accounts.literal]
host = "pop.example.org"
user = "quo\"te\\back\u0007bell"
password = "s3cret"
leave_on_server = false
[accounts."me@example.org"]
host = "::1"
user = "me"
password_command = ["awk", "{print $1}", "~/x", "a b"]
tls = "starttls"
tls_trust = "pin"
tls_pin_sha256 = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
tls_ca_file = "/ca.pem"
max_message_size = "1234567B"
min_free_space = "0B"
leave_on_server = "90s"
enabled = false
)";

std::string without_comments(const std::string& text) { return std::regex_replace(text, std::regex("  # [^\n]*"), ""); }

TEST(ToToml, LoadsBackToTheSameValues) {
  TempFolder folder;
  const LoadResult first = load(folder.write("popsync.toml", kText), "/home/me", true);
  ASSERT_TRUE(first.diagnostics.empty()) << to_text(first.diagnostics.front());
  const std::string printed = to_toml(first.config, {});
  const LoadResult second = load(folder.write("again.toml", printed), "/home/other", true);
  ASSERT_TRUE(second.diagnostics.empty()) << to_text(second.diagnostics.front()) << "\n" << printed;
  EXPECT_EQ(without_comments(to_toml(second.config, {})), without_comments(printed));
  ASSERT_EQ(second.config.accounts.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const Account& a = first.config.accounts[i];
    const Account& b = second.config.accounts[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.enabled, b.enabled);
    EXPECT_EQ(a.endpoint, b.endpoint);
    EXPECT_EQ(a.tls, b.tls);
    EXPECT_EQ(a.user, b.user);
    EXPECT_EQ(a.maildir, b.maildir);
    EXPECT_EQ(a.leave_on_server, b.leave_on_server);
    EXPECT_EQ(a.max_message_size, b.max_message_size);
    EXPECT_EQ(a.min_free_space, b.min_free_space);
    EXPECT_EQ(a.interval, b.interval);
    EXPECT_EQ(a.secret.kind, b.secret.kind);
    EXPECT_EQ(a.secret.command, b.secret.command);
  }
}

TEST(ToToml, ShowsWhereValuesWereWrittenAndNoSecret) {
  TempFolder folder;
  const std::string file = folder.write("popsync.toml", kText);
  const std::string printed = to_toml(load(file, "/home/me", true).config, {});
  EXPECT_THAT(printed, HasSubstr("log_format = \"plain\"  # " + file + ":2\n"));
  EXPECT_THAT(printed, HasSubstr("max_sessions = 32  # default\n"));
  EXPECT_THAT(printed, HasSubstr("[accounts.\"literal\"]  # " + file + ":6\n"));
  EXPECT_THAT(printed, HasSubstr("interval = \"7m\"  # " + file + ":4\n"));
  EXPECT_THAT(printed, HasSubstr("password = \"***\"  # " + file + ":9\n"));
  EXPECT_THAT(printed, Not(HasSubstr("s3cret")));
  EXPECT_THAT(printed, Not(HasSubstr("\x07")));
}

TEST(ToToml, NamesOnlyTheAccountsAskedFor) {
  TempFolder folder;
  const Config config = load(folder.write("popsync.toml", kText), "/home/me", true).config;
  const std::string printed = to_toml(config, {"literal"});
  EXPECT_THAT(printed, HasSubstr("[accounts.\"literal\"]"));
  EXPECT_THAT(printed, Not(HasSubstr("me@example.org")));
}

}  // namespace
}  // namespace popsync::config
