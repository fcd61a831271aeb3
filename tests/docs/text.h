// SPDX-License-Identifier: MIT
// Reading documents, sources and the output of programs as text, for the tests that compare what is documented with what exists.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace popsync::docs {

namespace fs = std::filesystem;

inline const fs::path kRoot = POPSYNC_SOURCE_DIR;

inline std::string content_of(const fs::path& file) {
  std::ifstream input(file);
  EXPECT_TRUE(input.is_open()) << file;
  std::ostringstream out;
  out << input.rdbuf();
  return out.str();
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream input(text);
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  return lines;
}

// The first group of each match.
inline std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression); at != std::sregex_iterator(); ++at) found.push_back((*at)[1]);
  return found;
}

inline std::set<std::string> set_of(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

// C++ sources below `folder`, relative to the root of the tree.
inline std::vector<fs::path> sources_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (entry.path().extension() == ".cc" || entry.path().extension() == ".h") files.push_back(fs::relative(entry.path(), kRoot));
  }
  return files;
}

// What stands in the #include lines of a source.
inline std::vector<std::string> includes_of(const fs::path& source) {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(content_of(kRoot / source))) {
    if (line.find("include") == std::string::npos) continue;
    for (std::string& name : matches(line, R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])")) found.push_back(std::move(name));
  }
  return found;
}

// A C++ source with its comments and the insides of its strings blanked.
inline std::string code_of(const std::string& source) {
  std::string out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::string_view rest = std::string_view(source).substr(i);
    const bool behind_word = i > 0 && std::isalnum(static_cast<unsigned char>(source[i - 1])) != 0;
    if (rest.starts_with("//")) {
      i = std::min(source.find('\n', i), source.size()) - 1;
    } else if (rest.starts_with("/*")) {
      i = std::min(source.find("*/", i + 2), source.size() - 2) + 1;
    } else if (rest.starts_with("R\"")) {
      const std::string end = ")" + source.substr(i + 2, source.find('(', i) - i - 2) + "\"";
      i = source.find(end, i) + end.size() - 1;
      out += "\"\"";
    } else if (rest.front() == '"' || (rest.front() == '\'' && !behind_word)) {  // behind a digit it separates thousands
      for (++i; i < source.size() && source[i] != rest.front(); ++i) i += source[i] == '\\' ? 1U : 0U;
      out += std::string(2, rest.front());
    } else {
      out += source[i];
    }
  }
  return out;
}

struct Finished {
  int status = -1;
  std::string output;
};

// Runs a command in a shell; what it writes to standard error is lost unless the command says otherwise.
inline Finished run(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  Finished finished;
  char buffer[4096];
  for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) finished.output.append(buffer, size);
  const int status = ::pclose(pipe);
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return finished;
}

inline std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

// The program's --help, or that of one of its commands.
inline std::string help(const std::string& command = "") {
  static std::map<std::string, std::string> known;
  const auto found = known.find(command);
  if (found != known.end()) return found->second;
  const Finished finished = run(quoted(POPSYNC_PROGRAM) + " " + command + " --help");
  EXPECT_EQ(finished.status, 0) << command;
  return known[command] = finished.output;
}

inline std::set<std::string> commands() {
  const std::string text = help();
  const auto at = text.find("Commands:\n");
  EXPECT_NE(at, std::string::npos) << text;
  return set_of(matches(text.substr(std::min(at, text.size())), R"(\n  ([a-z]+) )"));
}

// "-c" and "--config" of an "Options:" block.
inline std::set<std::string> options_in_help(const std::string& text) {
  std::set<std::string> found;
  for (const std::string& line : lines_of(text)) {
    for (const std::string& names : matches(line, R"(^  (-[-a-zA-Z,]+))")) {
      for (const std::string& name : matches(names, R"((-[-a-zA-Z]+))")) found.insert(name);
    }
  }
  return found;
}

}  // namespace popsync::docs
