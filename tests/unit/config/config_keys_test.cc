// SPDX-License-Identifier: MIT
#include "config/config_keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "config/config_loader.h"
#include "unit/config/temp_folder.h"

namespace popsync::config {
namespace {

TEST(ConfigKeys, EachStandsOnceWithItsFunctions) {
  std::set<std::pair<Section, std::string_view>> seen;
  for (const Key& key : all_keys()) {
    EXPECT_TRUE(seen.emplace(key.section, key.name).second) << key.name;
    EXPECT_EQ(find_key(key.section, key.name), &key);
    EXPECT_EQ(key.set_daemon != nullptr && key.show_daemon != nullptr, key.section == Section::daemon) << key.name;
    EXPECT_EQ(key.set_account != nullptr && key.show_account != nullptr, key.section == Section::account) << key.name;
    EXPECT_FALSE(key.type.empty() || key.description.empty()) << key.name;
  }
  EXPECT_EQ(find_key(Section::daemon, "host"), nullptr);
  EXPECT_EQ(find_key(Section::account, "max_sessions"), nullptr);
}

// The text of a default is only documentation; the value in force is the struct's.
TEST(ConfigKeys, DefaultTextIsTheDefaultInForce) {
  for (const Key& key : all_keys()) {
    if (key.default_text.empty()) continue;
    TempFolder folder;
    const std::string line = std::string(key.name) + " = " + std::string(key.default_text) + "\n";
    const std::string section = key.section == Section::daemon ? "[daemon]\n" : "[defaults]\n";
    const std::string account = "[accounts.a]\nhost = \"h\"\nuser = \"u\"\nmaildir = \"/m\"\npassword_env = \"P\"\n";
    const LoadResult loaded = load(folder.write("popsync.toml", section + line + account), "/home/me", true);
    ASSERT_TRUE(loaded.diagnostics.empty()) << key.name << ": " << to_text(loaded.diagnostics.front());
    const std::string shown =
        key.section == Section::daemon ? key.show_daemon(loaded.config.daemon) : key.show_account(loaded.config.accounts.front());
    const std::string initial = key.section == Section::daemon ? key.show_daemon(Daemon{}) : key.show_account(Account{});
    EXPECT_EQ(shown, key.default_text);
    EXPECT_EQ(initial, key.default_text);
  }
}

TEST(ConfigKeys, ShowWhatWasSet) {
  const auto shown = [](std::string_view name, const Value& value) {
    Account account;
    Diagnostics found;
    Faults faults(name, found);
    find_key(Section::account, name)->set_account(value, account, faults);
    EXPECT_TRUE(found.empty()) << to_text(found.front());
    return find_key(Section::account, name)->show_account(account);
  };
  const auto text = [](std::string_view content) {
    Value value;
    value.kind = Value::Kind::text;
    value.text = content;
    return value;
  };
  EXPECT_EQ(shown("tls", text("starttls")), "\"starttls\"");
  EXPECT_EQ(shown("tls_trust", text("ca+pin")), "\"ca+pin\"");
  EXPECT_EQ(shown("tls_min_version", text("1.3")), "\"1.3\"");
  EXPECT_EQ(shown("auth", text("apop")), "\"apop\"");
  EXPECT_EQ(shown("pipelining", text("off")), "\"off\"");
  EXPECT_EQ(shown("leave_on_server", text("336h")), "\"14d\"");
  EXPECT_EQ(shown("user", text("a\"b\\c\td")), R"("a\"b\\c\u0009d")");
  EXPECT_EQ(shown("password", text("s3cret")), "\"***\"");
}

}  // namespace
}  // namespace popsync::config
