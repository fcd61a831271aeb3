// SPDX-License-Identifier: MIT
// The table of keys, docs/configuration.md and config/popsync.toml name the same keys, types and defaults, compared both ways; what is shipped as an
// example loads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "config/config_keys.h"
#include "config/config_loader.h"
#include "unit/config/temp_folder.h"

namespace popsync::config {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

const fs::path kRoot = POPSYNC_SOURCE_DIR;

// "[daemon] log_level", and what is said about it.
using Entries = std::set<std::pair<std::string, std::string>>;

std::string title_of(Section section) { return section == Section::daemon ? "[daemon]" : "[accounts.NAME]"; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream input(text);
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  return lines;
}

// In docs/configuration.md a key is a heading "### `key`" below "## [daemon]" or "## [accounts.NAME] ...", and the next line but one says
// "Type: T. Default: `D`.", "Type: T. Default: none." or "Type: T. Required."
Entries documented_keys() {
  Entries entries;
  const std::vector<std::string> lines = lines_of(content_of(kRoot / "docs" / "configuration.md"));
  std::string section;
  std::smatch match;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (std::regex_match(lines[i], match, std::regex(R"(## (\[[^\]]*\]).*)"))) section = match[1];
    if (std::regex_match(lines[i], match, std::regex("### `(.*)`"))) entries.emplace(section + " " + match[1].str(), lines.at(i + 2));
  }
  return entries;
}

Entries keys_of_the_table() {
  Entries entries;
  for (const Key& key : all_keys()) {
    std::string type(key.type);
    if (type.find('"') != std::string::npos) type = "`" + type + "`";
    std::string rest = key.default_text.empty() ? "Default: none." : "Default: `" + std::string(key.default_text) + "`.";
    if (key.required) rest = "Required.";
    entries.emplace(title_of(key.section) + " " + std::string(key.name), "Type: " + type + ". " + rest);
  }
  return entries;
}

// A key or section that is commented out has no space after its "#"; prose has one.
std::string uncommented(const std::string& text) { return std::regex_replace(text, std::regex(R"((^|\n)#([a-z0-9_]+ = |\[))"), "$1$2"); }

struct SampleKey {
  std::string section;
  std::string name;
  std::string value;
};

std::vector<SampleKey> sample_keys() {
  std::vector<SampleKey> keys;
  std::string section;
  std::smatch match;
  for (const std::string& line : lines_of(uncommented(content_of(kRoot / "config" / "popsync.toml")))) {
    if (std::regex_match(line, match, std::regex(R"((\[.*\]))"))) section = match[1];
    if (std::regex_match(line, match, std::regex(R"(([a-z0-9_]+) = (.*))"))) keys.push_back({section, match[1], match[2]});
  }
  return keys;
}

std::vector<std::string> complaints_about(const std::string& text) {
  TempFolder folder;
  const LoadResult result = load(folder.write("popsync.toml", text), "/home/me", true);
  std::vector<std::string> complaints = result.warnings;
  for (const Diagnostic& diagnostic : result.diagnostics) complaints.push_back(to_text(diagnostic));
  return complaints;
}

TEST(ConfigDocuments, ConfigurationMdNamesEachKeyWithTypeAndDefault) { EXPECT_EQ(documented_keys(), keys_of_the_table()); }

TEST(ConfigDocuments, SampleNamesEachKey) {
  std::set<std::string> sample;
  for (const SampleKey& key : sample_keys()) sample.insert((key.section == "[daemon]" ? "[daemon] " : "[accounts.NAME] ") + key.name);
  std::set<std::string> table;
  for (const Key& key : all_keys()) table.insert(title_of(key.section) + " " + std::string(key.name));
  EXPECT_EQ(sample, table);
}

TEST(ConfigDocuments, SampleShowsTheDefaults) {
  for (const SampleKey& key : sample_keys()) {
    if (key.section != "[daemon]" && key.section != "[defaults]") continue;
    const Key* const known = find_key(key.section == "[daemon]" ? Section::daemon : Section::account, key.name);
    ASSERT_NE(known, nullptr) << key.name;
    EXPECT_EQ(key.value, known->default_text) << key.name;
  }
}

TEST(ConfigDocuments, SampleLoadsAsItIsAndUncommented) {
  const std::string text = content_of(kRoot / "config" / "popsync.toml");
  EXPECT_THAT(complaints_about(text), IsEmpty());
  EXPECT_NE(uncommented(text), text);
  EXPECT_THAT(complaints_about(uncommented(text)), IsEmpty());
}

TEST(ConfigDocuments, ExamplesLoadWithAnAccount) {
  std::vector<fs::path> files = {kRoot / "config" / "minimal.toml"};
  for (const fs::directory_entry& entry : fs::directory_iterator(kRoot / "config" / "examples")) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  EXPECT_GE(files.size(), 5U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file);
    EXPECT_THAT(complaints_about(content_of(file)), IsEmpty());
    EXPECT_FALSE(load(file, "/home/me", true).config.accounts.empty());
  }
}

// The whole examples of docs/configuration.md.
TEST(ConfigDocuments, BlocksInConfigurationMdLoad) {
  const std::string text = content_of(kRoot / "docs" / "configuration.md");
  const std::regex block("```toml\n([^`]*)```");
  std::size_t count = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), block); at != std::sregex_iterator(); ++at, ++count) {
    EXPECT_THAT(complaints_about((*at)[1]), IsEmpty()) << (*at)[1];
  }
  EXPECT_GE(count, 3U);
}

}  // namespace
}  // namespace popsync::config
