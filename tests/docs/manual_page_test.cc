// SPDX-License-Identifier: MIT
// docs/man/popsync.1 and the program name the same commands, options and exit statuses, compared both ways.
#include <gmock/gmock.h>

#include <iterator>
#include <map>

#include "base/error.h"
#include "config/config_loader.h"
#include "docs/text.h"
#include "support/skip.h"
#include "support/temp_folder.h"

namespace popsync::docs {
namespace {

using Names = std::set<std::string>;

const fs::path kPage = kRoot / "docs" / "man" / "popsync.1";

// The page without roff's escapes: "\-" is "-", fonts are gone.
std::vector<std::string> page_lines() {
  std::string text = std::regex_replace(content_of(kPage), std::regex(R"(\\f.)"), "");
  return lines_of(std::regex_replace(text, std::regex(R"(\\-)"), "-"));
}

std::vector<std::string> section(const std::string& title) {
  std::vector<std::string> lines;
  bool inside = false;
  for (const std::string& line : page_lines()) {
    if (line.starts_with(".SH ")) {
      inside = line == ".SH " + title || line == ".SH \"" + title + "\"";
      continue;
    }
    if (inside) lines.push_back(line);
  }
  EXPECT_FALSE(lines.empty()) << title;
  return lines;
}

Names options_in(const std::string& line) { return set_of(matches(line, R"((?:^|[\s\[",])(--?[a-zA-Z][-a-zA-Z]*))")); }

// The tags of .TP paragraphs.
Names options_in_tags(const std::vector<std::string>& lines) {
  Names found;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i] == ".TP") found.merge(options_in(lines[i + 1]));
  }
  return found;
}

struct Documented {
  Names in_heading;  // .SS "sync [--dry-run] ..."
  std::vector<std::string> body;
};

std::map<std::string, Documented> documented_commands() {
  std::map<std::string, Documented> found;
  Documented* current = nullptr;
  for (const std::string& line : section("COMMANDS")) {
    if (line.starts_with(".SS ")) {
      const auto name = matches(line, R"re(^\.SS "?([a-z]+))re");
      current = &found[name.empty() ? line : name.front()];
      current->in_heading = options_in(line);
    } else if (current != nullptr) {
      current->body.push_back(line);
    }
  }
  return found;
}

Names own_options(const std::string& command) {
  Names options = options_in_help(help(command));
  options.erase("-h");
  options.erase("--help");
  return options;
}

Names all_options() {
  Names options = options_in_help(help());
  for (const std::string& command : commands()) options.merge(own_options(command));
  return options;
}

Names union_of(Names left, Names right) {
  left.merge(right);
  return left;
}

TEST(ManualPage, NamesTheCommandsOfTheProgram) {
  Names documented;
  for (const auto& [name, ignored] : documented_commands()) documented.insert(name);
  EXPECT_GE(commands().size(), 12U);
  EXPECT_EQ(documented, commands());
}

TEST(ManualPage, HeadingOfEachCommandNamesItsOptions) {
  for (const auto& [name, documented] : documented_commands()) EXPECT_EQ(documented.in_heading, own_options(name)) << name;
}

TEST(ManualPage, EachOptionIsDescribed) {
  const Names everywhere = options_in_tags(section("OPTIONS"));
  for (const auto& [name, documented] : documented_commands()) {
    const Names described = union_of(everywhere, options_in_tags(documented.body));
    for (const std::string& option : own_options(name)) EXPECT_TRUE(described.contains(option)) << name << " " << option;
    for (const std::string& option : options_in_tags(documented.body)) EXPECT_TRUE(own_options(name).contains(option)) << name << " " << option;
  }
  for (const std::string& option : options_in_help(help())) EXPECT_TRUE(everywhere.contains(option)) << option;
}

TEST(ManualPage, DescribesNoOptionThatDoesNotExist) {
  for (const std::string& option : options_in_tags(section("OPTIONS"))) EXPECT_TRUE(all_options().contains(option)) << option;
}

// "usage,  // 64: command line" in base/error.h
std::map<int, Names> codes_by_status() {
  std::map<int, Names> found;
  const std::regex enumerator(R"(^  ([a-z0-9_]+), +// (\d+).*)");
  std::smatch match;
  for (const std::string& line : lines_of(content_of(kRoot / "lib" / "base" / "error.h"))) {
    if (!std::regex_match(line, match, enumerator)) continue;
    const auto code = error_code_named(match[1].str());
    EXPECT_TRUE(code) << match[1];
    if (!code) continue;
    EXPECT_EQ(exit_status(*code), std::stoi(match[2])) << match[1];
    found[exit_status(*code)].insert(match[1]);
  }
  return found;
}

// ".TP", ".B 64", and codes as ".RI ( usage ),"
std::map<int, Names> documented_statuses() {
  std::map<int, Names> found;
  int status = -1;
  for (const std::string& line : section("EXIT STATUS")) {
    for (const std::string& number : matches(line, R"(^\.B (\d+)$)")) {
      status = std::stoi(number);
      found[status];
    }
    for (const std::string& name : matches(line, R"(^\.RI \( ([a-z0-9_]+) )")) found[status].insert(name);
  }
  return found;
}

TEST(ManualPage, NamesEachExitStatusWithItsCodes) {
  std::map<int, Names> expected = codes_by_status();
  EXPECT_GE(expected.size(), 11U);
  expected[0] = {};
  EXPECT_EQ(documented_statuses(), expected);
}

TEST(ManualPage, TellsTheOrderOfStatusesThatThePrecedenceHas) {
  std::string order;
  for (const std::string& line : section("EXIT STATUS")) {
    for (std::string& numbers : matches(line, R"(the first of ([\d ]+) that)")) order = std::move(numbers);
  }
  std::istringstream words(order);
  const std::vector<int> told{std::istream_iterator<int>(words), {}};
  ASSERT_EQ(told.size(), documented_statuses().size());
  for (std::size_t i = 0; i + 1 < told.size(); ++i) {
    EXPECT_EQ(worse_exit_status(told[i + 1], told[i]), told[i]);
    EXPECT_EQ(worse_exit_status(told[i], told[i + 1]), told[i]);
  }
}

TEST(ManualPage, ExampleConfigurationLoads) {
  std::string example;
  bool inside = false;
  for (const std::string& line : section("CONFIGURATION")) {
    if (line == ".EE") inside = false;
    if (inside) example += line + "\n";
    if (line == ".EX") inside = true;
  }
  const test::TempFolder folder;
  const config::LoadResult loaded = config::load(folder.write("popsync.toml", example), "/home/me", true);
  for (const config::Diagnostic& diagnostic : loaded.diagnostics) ADD_FAILURE() << config::to_text(diagnostic);
  EXPECT_EQ(loaded.config.accounts.size(), 1U) << example;
}

TEST(ManualPage, IsOfTheVersionThatIsBuilt) {
  const std::string version = run(quoted(POPSYNC_PROGRAM) + " --version").output;
  ASSERT_FALSE(version.empty());
  EXPECT_THAT(content_of(kPage), testing::HasSubstr("\"" + version.substr(0, version.find('\n')) + "\""));
}

TEST(ManualPage, IsFormattedWithoutWarnings) {
  POPSYNC_REQUIRE_PROGRAM("man");
  const Finished finished = run("LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l " + quoted(kPage) + " 2>&1 >/dev/null");
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.output, "");
}

}  // namespace
}  // namespace popsync::docs
