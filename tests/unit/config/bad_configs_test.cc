// SPDX-License-Identifier: MIT
// Each broken configuration in tests/bad_configs stands beside what popsync says about it: NAME.toml (and NAME.conf.d/), NAME.expected.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "config/config_loader.h"
#include "unit/config/temp_folder.h"

namespace popsync::config {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(POPSYNC_SOURCE_DIR) / "tests" / "bad_configs";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

// The diagnostics without the name of the temporary folder.
std::string diagnostics_of(const std::string& name) {
  TempFolder folder;
  const std::string main_file = folder.write(name + ".toml", content_of(kFolder / (name + ".toml")));
  if (fs::exists(kFolder / (name + ".conf.d"))) {
    for (const fs::directory_entry& entry : fs::directory_iterator(kFolder / (name + ".conf.d"))) {
      folder.write("conf.d/" + entry.path().filename().string(), content_of(entry.path()));
    }
  }
  std::string text;
  for (const Diagnostic& diagnostic : load(main_file, "/home/me", true).diagnostics) text += to_text(diagnostic) + "\n";
  const std::string prefix = folder.path() + "/";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at)) text.erase(at, prefix.size());
  return text;
}

class BadConfigs : public testing::TestWithParam<std::string> {};

TEST_P(BadConfigs, IsToldAsExpected) {
  const std::string expected = content_of(kFolder / (GetParam() + ".expected"));
  ASSERT_NE(expected, "");
  EXPECT_EQ(diagnostics_of(GetParam()), expected);
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigs, testing::ValuesIn(cases()), [](const auto& test) { return test.param; });

}  // namespace
}  // namespace popsync::config
