// SPDX-License-Identifier: MIT
// The sources keep the rules of docs/architecture.md: who may depend on whom, where a library may be used, where files are synced, who makes
// credentials into commands.
#include <gmock/gmock.h>

#include <map>

#include "docs/text.h"
#include "support/skip.h"

namespace popsync::docs {
namespace {

using Names = std::set<std::string>;

// Folders below lib/ and those whose headers they may include beside their own.
const std::map<std::string, Names> kMayInclude = {
    {"base", {}},
    {"pop3", {"base"}},
    {"auth", {"pop3", "base"}},
    {"net", {"pop3", "auth", "secrets", "base"}},
    {"delivery", {"base"}},
    {"state", {"pop3", "base"}},
    {"secrets", {"base"}},
    {"config", {"net", "secrets", "base"}},
    {"sync", {"net", "auth", "delivery", "state", "pop3", "base"}},
    {"schedule", {"base"}},
    {"observe", {"base"}},
};

// What an include begins with, and the folders that may have it.
const std::map<std::string, Names> kLibraries = {
    {"Poco/", {"lib/net", "lib/observe", "daemon", "tests/support"}},
    {"sqlite3", {"lib/state", "tests/support"}},
    {"SQLiteCpp/", {"lib/state", "tests/support"}},
    {"toml++/", {"lib/config"}},
    {"CLI/", {"daemon", "tests/support"}},
    {"systemd/", {"lib/observe"}},
    {"openssl/", {"lib/base", "lib/auth", "lib/net", "tests/support"}},
};

const std::string kSyncFamily = "fsync|fdatasync|syncfs|sync_file_range|msync";

std::vector<fs::path> all_sources() {
  std::vector<fs::path> files = sources_below("lib");
  for (const char* folder : {"daemon", "tests/support"}) {
    for (fs::path& file : sources_below(folder)) files.push_back(std::move(file));
  }
  EXPECT_GE(files.size(), 150U);
  return files;
}

std::vector<fs::path> product_sources() {
  std::vector<fs::path> files = all_sources();
  std::erase_if(files, [](const fs::path& file) { return file.string().starts_with("tests/"); });
  return files;
}

Names folders_of_lib() {
  Names folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(kRoot / "lib")) {
    if (entry.is_directory()) folders.insert(entry.path().filename());
  }
  return folders;
}

std::string block_below(const std::string& heading) {
  const std::string text = content_of(kRoot / "docs" / "architecture.md");
  const auto begin = text.find("```\n", text.find("## " + heading + "\n"));
  EXPECT_NE(begin, std::string::npos) << heading;
  if (begin == std::string::npos) return "";
  return text.substr(begin + 4, text.find("```", begin + 4) - begin - 4);
}

// "config   -> net and secrets (plain values), base; toml++"
std::map<std::string, Names> documented_dependencies() {
  std::map<std::string, Names> found;
  for (const std::string& line : lines_of(block_below("Who may depend on whom"))) {
    const auto arrow = line.find("->");
    if (arrow == std::string::npos) continue;
    Names targets;
    for (const std::string& word : matches(line.substr(arrow, line.find(';') - arrow), "([a-z0-9]+)")) {
      if (kMayInclude.contains(word)) targets.insert(word);
    }
    for (const std::string& folder : matches(line.substr(0, arrow), "([a-z0-9]+)")) found[folder] = targets;
  }
  return found;
}

TEST(Architecture, TableOfDependenciesIsTheDocumentedOne) {
  std::map<std::string, Names> documented = documented_dependencies();
  EXPECT_EQ(documented.erase("daemon"), 1U);
  EXPECT_EQ(documented, kMayInclude);
}

TEST(Architecture, FoldersAreTheDocumentedOnes) {
  EXPECT_EQ(set_of(matches(block_below("Folders"), R"(\n  ([a-z0-9]+)/ )")), folders_of_lib());
  for (const std::string& folder : matches("\n" + block_below("Folders"), R"(\n([a-z0-9]+)/? )")) EXPECT_TRUE(fs::exists(kRoot / folder)) << folder;
  Names known;
  for (const auto& [folder, ignored] : kMayInclude) known.insert(folder);
  EXPECT_EQ(known, folders_of_lib());
}

TEST(Architecture, FoldersIncludeOnlyHeadersOfFoldersTheyMay) {
  for (const auto& [folder, may] : kMayInclude) {
    for (const fs::path& source : sources_below("lib/" + folder)) {
      for (const std::string& name : includes_of(source)) {
        const std::string target = name.substr(0, name.find('/'));
        if (!kMayInclude.contains(target) || target == folder) continue;
        EXPECT_TRUE(may.contains(target)) << source << " includes " << name;
      }
    }
  }
}

TEST(Architecture, LibrariesLinkOnlyLibrariesTheyMay) {
  for (const auto& [folder, may] : kMayInclude) {
    const Names linked = set_of(matches(content_of(kRoot / "lib" / folder / "CMakeLists.txt"), "popsync_([a-z0-9]+)"));
    for (const std::string& target : linked) {
      if (kMayInclude.contains(target)) {
        EXPECT_TRUE(may.contains(target)) << folder << " links " << target;
      }
    }
  }
}

TEST(Architecture, EachLibraryOfOthersStaysInItsFolders) {
  std::map<std::string, int> used;
  for (const fs::path& source : all_sources()) {
    for (const std::string& name : includes_of(source)) {
      for (const auto& [prefix, folders] : kLibraries) {
        if (!name.starts_with(prefix)) continue;
        ++used[prefix];
        const bool allowed = std::ranges::any_of(folders, [&](const std::string& folder) { return source.string().starts_with(folder + "/"); });
        EXPECT_TRUE(allowed) << source << " includes " << name;
      }
    }
  }
  for (const auto& [prefix, folders] : kLibraries) EXPECT_GT(used[prefix], 0) << prefix << " is used by nobody";
}

// pop3 and all that decides: no socket, no file, no thread.
TEST(Architecture, Pop3IsPure) {
  const std::regex impure(R"(sys/.*|fcntl\.h|unistd\.h|netdb\.h|netinet/.*|poll\.h|thread|mutex|fstream|filesystem|base/(fs|clock|log)\.h)");
  for (const fs::path& source : sources_below("lib/pop3")) {
    for (const std::string& name : includes_of(source)) EXPECT_FALSE(std::regex_match(name, impure)) << source << " includes " << name;
  }
}

TEST(Architecture, OnlyTheSeamToFilesNamesTheCallsThatSync) {
  // sync() itself: not a member's, and not the definition of one.
  const std::regex calls("\\b(SYS_|__NR_)?(" + kSyncFamily + R"()\b|(^|[^\w>:.\s])\s*(::)?\bsync\s*\(\s*\))");
  for (const fs::path& source : product_sources()) {
    const std::string code = code_of(content_of(kRoot / source));
    std::smatch match;
    const bool found = code.find("sync") != std::string::npos && std::regex_search(code, match, calls);
    EXPECT_EQ(found, source == "lib/base/fs.cc") << source << ": " << match.str();
  }
}

// What the sources hide from a look at their text (macros, inline functions of headers) shows in the symbols of the objects.
TEST(Architecture, OnlyTheSeamToFilesRefersToTheCallsThatSync) {
  POPSYNC_REQUIRE_PROGRAM("nm");
  const fs::path build = fs::path(POPSYNC_PROGRAM).parent_path();
  for (const auto& [folder, ignored] : kMayInclude) ASSERT_TRUE(fs::exists(build / "lib" / folder / ("libpopsync_" + folder + ".a")));
  const Finished finished =
      run("find " + quoted(build / "lib") + " " + quoted(build / "daemon") +
          R"( \( -name 'libpopsync_*.a' -o -name '*.o' -path '*/popsync.dir/*' \) -exec nm -A --undefined-only {} + 2>/dev/null | grep -E ' U ()" +
          kSyncFamily + "|sync)(@|$)'");
  ASSERT_EQ(finished.status, 0);
  EXPECT_THAT(set_of(matches(finished.output, "(?:[^\\n]*/)?([^\\n]*): +U ")), testing::ElementsAre("libpopsync_base.a:fs.cc.o"));
}

TEST(Architecture, OnlyTheGateMakesCredentialsIntoCommands) {
  const std::regex credential(R"(\bVerb::(user|pass|apop|auth|auth_response)\b)");
  const std::regex made(R"(\.verb\s*=\s*(pop3::)?Verb::(user|pass|apop|auth|auth_response)\b|Command\s*\{\s*(pop3::)?Verb::)");
  std::size_t makers = 0;
  for (const fs::path& source : product_sources()) {
    const std::string code = code_of(content_of(kRoot / source));
    if (code.find("Verb::") == std::string::npos) continue;
    if (source == "lib/auth/credential_gate.cc" || source == "lib/auth/apop.cc") {
      makers += std::regex_search(code, made) ? 1U : 0U;
      continue;
    }
    // pop3 knows the words: how they are written, which replies they have.
    EXPECT_FALSE(std::regex_search(code, source.string().starts_with("lib/pop3/") ? made : credential)) << source;
  }
  EXPECT_GE(makers, 1U);
}

TEST(Architecture, OnlyQuitSendsQuit) {
  const std::regex made(R"(\.verb\s*=\s*(pop3::)?Verb::quit\b)");
  Names makers;
  for (const fs::path& source : product_sources()) {
    const std::string code = code_of(content_of(kRoot / source));
    if (code.find("Verb::quit") == std::string::npos) continue;
    for (std::sregex_iterator at(code.begin(), code.end(), made); at != std::sregex_iterator(); ++at) makers.insert(source);
  }
  EXPECT_THAT(makers, testing::ElementsAre("lib/net/pop3_client.cc"));
}

}  // namespace
}  // namespace popsync::docs
