// SPDX-License-Identifier: MIT
// What the documents, the examples and the program's own hints refer to exists: files, commands, keys, words of ./dev.
#include <gmock/gmock.h>

#include "config/config_keys.h"
#include "config/config_loader.h"
#include "docs/text.h"
#include "support/temp_folder.h"

namespace popsync::docs {
namespace {

std::vector<fs::path> markdown() {
  std::vector<fs::path> files = {kRoot / "README.md", kRoot / "CHANGELOG.md"};
  for (const fs::directory_entry& entry : fs::directory_iterator(kRoot / "docs")) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  EXPECT_GE(files.size(), 7U);
  return files;
}

// Blocks and `spans` of code, one a line.
std::string code_in(const std::string& text) {
  std::string code;
  std::string prose;
  bool inside = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("```")) {
      inside = !inside;
    } else {
      (inside ? code : prose) += line + "\n";
    }
  }
  for (const std::string& span : matches(prose, "`([^`]+)`")) code += std::regex_replace(span, std::regex("\n"), " ") + "\n";
  return code;
}

// The words of "popsync [OPTION...] WORD" in lines of code.
std::vector<std::string> commands_named(const std::string& code) {
  return matches(code, R"((?:^|[^-\w./]|bin/|build/|@/)popsync(?: +(?:-c|--config|--state-dir) +\S+| +--?[a-z][-a-z]*)* ([a-z]+)(?![\w./:]))");
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

std::string anchor_of(std::string heading) {
  std::string anchor;
  for (const char c : heading) {
    if (c == ' ' || c == '-') anchor += '-';
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return anchor;
}

TEST(Documents, LinksLeadSomewhere) {
  std::size_t links = 0;
  for (const fs::path& document : markdown()) {
    for (const std::string& link : matches(content_of(document), R"(\]\(([^)]+)\))")) {
      if (link.starts_with("http")) continue;
      ++links;
      const std::string path = link.substr(0, link.find('#'));
      const fs::path target = path.empty() ? document : document.parent_path() / path;
      ASSERT_TRUE(fs::exists(target)) << document << ": " << link;
      if (link.find('#') == std::string::npos) continue;
      std::set<std::string> anchors;
      for (const std::string& heading : matches(content_of(target), "\n#+ ([^\n]+)")) anchors.insert(anchor_of(heading));
      EXPECT_TRUE(anchors.contains(link.substr(link.find('#') + 1))) << document << ": " << link;
    }
  }
  EXPECT_GE(links, 8U);
}

TEST(Documents, NameOnlyCommandsThatExist) {
  const std::set<std::string> known = commands();
  std::size_t named = 0;
  for (const fs::path& document : markdown()) {
    for (const std::string& word : commands_named(code_in(content_of(document)))) {
      ++named;
      EXPECT_TRUE(known.contains(word)) << document << ": popsync " << word;
    }
  }
  EXPECT_GE(named, 10U);
}

TEST(Documents, ExamplesAndUnitsNameOnlyCommandsThatExist) {
  const std::set<std::string> known = commands();
  for (const char* folder : {"config", "systemd"}) {
    for (const fs::path& file : files_below(folder)) {
      if (file.filename() == "CMakeLists.txt") continue;
      for (const std::string& span : matches(content_of(file), "(?:ExecStart=|`)([^`\n]+)")) {
        for (const std::string& word : commands_named(span)) EXPECT_TRUE(known.contains(word)) << file << ": popsync " << word;
      }
    }
  }
}

TEST(Documents, HintsOfTheProgramNameOnlyCommandsThatExist) {
  const std::set<std::string> known = commands();
  std::size_t named = 0;
  for (const char* folder : {"lib", "daemon"}) {
    for (const fs::path& source : sources_below(folder)) {
      for (const std::string& word : matches(content_of(kRoot / source), "`popsync ([a-z]+)[ `]")) {
        ++named;
        EXPECT_TRUE(known.contains(word)) << source << ": popsync " << word;
      }
    }
  }
  EXPECT_GE(named, 10U);
}

TEST(Documents, NameOnlyKeysThatExist) {
  std::set<std::string> known;
  for (const config::Key& key : config::all_keys()) known.insert(std::string(key.name));
  std::size_t named = 0;
  for (const fs::path& document : markdown()) {
    for (const std::string& name : matches(code_in(content_of(document)), R"((?:^|\n|[ {])([a-z][a-z0-9_]*) = )")) {
      ++named;
      EXPECT_TRUE(known.contains(name)) << document << ": " << name;
    }
  }
  EXPECT_GE(named, 20U);
}

TEST(Documents, NameOnlyWordsOfDevThatExist) {
  const std::set<std::string> known = set_of(matches(content_of(kRoot / "dev"), R"(\n    ([a-z]+)(?: \|[^)\n]*)?\) )"));
  ASSERT_TRUE(known.contains("test"));
  for (const fs::path& document : markdown()) {
    for (const std::string& word : matches(code_in(content_of(document)), R"(\./dev ([a-z]+))"))
      EXPECT_TRUE(known.contains(word)) << document << ": " << word;
  }
}

TEST(Documents, ConfigurationInReadmeLoads) {
  const auto blocks = matches(content_of(kRoot / "README.md"), "```toml\n([^`]*)```");
  ASSERT_FALSE(blocks.empty());
  for (const std::string& block : blocks) {
    const test::TempFolder folder;
    const config::LoadResult loaded = config::load(folder.write("popsync.toml", block), "/home/me", true);
    for (const config::Diagnostic& diagnostic : loaded.diagnostics) ADD_FAILURE() << config::to_text(diagnostic);
    EXPECT_FALSE(loaded.config.accounts.empty());
  }
}

}  // namespace
}  // namespace popsync::docs
