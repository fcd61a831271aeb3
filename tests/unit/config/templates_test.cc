// SPDX-License-Identifier: MIT
#include "config/templates.h"

#include <gtest/gtest.h>

namespace popsync::config {
namespace {

constexpr TemplateFields kFields{.name = "work", .user = "me@example.org", .host = "pop.example.org"};

TEST(Expand, PutsInWhatIsNamedAndKeepsTheRest) {
  EXPECT_EQ(expand("/mail/{host}/{user}/{name}", kFields), "/mail/pop.example.org/me@example.org/work");
  EXPECT_EQ(expand("{print $1} {users} {", kFields), "{print $1} {users} {");
  EXPECT_EQ(expand("{{name}}", kFields), "{work}");
  EXPECT_EQ(expand("", kFields), "");
}

TEST(Expand, DoesNotExpandWhatItPutIn) { EXPECT_EQ(expand("{user}", {.name = "work", .user = "{name}", .host = ""}), "{name}"); }

TEST(FaultOfTemplate, NamesTheUnknownWord) {
  EXPECT_EQ(fault_of_template("/mail/{name}"), std::nullopt);
  EXPECT_EQ(fault_of_template("/mail/{nam}"), "unknown {nam}, expected {name}, {user} or {host}");
  EXPECT_EQ(fault_of_template("/mail/{name"), "unknown {name, expected {name}, {user} or {host}");
  EXPECT_EQ(fault_of_template("/mail/{{name}}"), "unknown {{name}, expected {name}, {user} or {host}");
  EXPECT_EQ(fault_of_template("/mail/name}"), "unknown }, expected {name}, {user} or {host}");
}

TEST(FaultOfFields, KeepsAUserNameFromLeadingOutOfTheFolder) {
  for (const std::string_view user : {"a/b", "../x", "/", ".", "..", "..."}) {
    EXPECT_NE(fault_of_fields("/mail/{user}", {.name = "work", .user = user, .host = "h"}, true), std::nullopt) << user;
    EXPECT_EQ(fault_of_fields("/mail/{name}", {.name = "work", .user = user, .host = "h"}, true), std::nullopt) << user;
    EXPECT_EQ(fault_of_fields("{user}", {.name = "work", .user = user, .host = "h"}, false), std::nullopt) << user;
  }
  EXPECT_EQ(fault_of_fields("/mail/{user}", kFields, true), std::nullopt);
  EXPECT_NE(fault_of_fields("{user}", {.name = "work", .user = "{host}", .host = "h"}, false), std::nullopt);
}

}  // namespace
}  // namespace popsync::config
