// SPDX-License-Identifier: MIT
// A configuration file may hold anything: it is loaded, or every mistake has its place. What was loaded can be written down and loaded again.
// Input: the main file; behind a line of three hyphens the file conf.d/10.toml.
#include "config/config_loader.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/harness.h"
#include "support/temp_folder.h"

namespace popsync::fuzz {
namespace {

namespace stdfs = std::filesystem;

constexpr const char* kHome = "/home/me";

// One folder for all inputs: making one for each would cost more than the loading.
const test::TempFolder& folder() {
  static const test::TempFolder the_folder("fuzz-config");
  return the_folder;
}

config::LoadResult load(std::string_view main_file, std::string_view drop_in) {
  const std::string path = folder().write("popsync.toml", std::string(main_file));
  (void)folder().make("conf.d");
  if (drop_in.empty()) {
    stdfs::remove(folder() / "conf.d/10.toml");
  } else {
    folder().write("conf.d/10.toml", std::string(drop_in));
  }
  return config::load(path, kHome, true);
}

void check_mistakes(const config::LoadResult& result) {
  for (const config::Diagnostic& diagnostic : result.diagnostics) {
    claim(diagnostic.where.file.starts_with(folder().path()) && diagnostic.where.line > 0, "a mistake has its place");
    const std::string text = to_text(diagnostic);
    claim(!diagnostic.text.empty() && text.find('\n') == std::string::npos && text.find('\0') == std::string::npos, "a mistake is told in one line");
  }
}

// Without the comments, which name places.
std::string values_of(const config::Config& config) {
  std::string values;
  std::string text = to_toml(config, {});
  Input lines(text);
  while (!lines.empty()) {
    const std::string_view line = lines.until('\n');
    values += std::string(line.substr(0, line.rfind("  # "))) + "\n";
  }
  return values;
}

}  // namespace

void config_loader(std::string_view octets) {
  constexpr std::string_view kSeparator = "\n---\n";
  const auto separator = octets.find(kSeparator);
  const bool two = separator != std::string_view::npos;
  const config::LoadResult result = load(octets.substr(0, separator), two ? octets.substr(separator + kSeparator.size()) : std::string_view());
  check_mistakes(result);
  if (!result.diagnostics.empty()) return;
  for (const std::string& warning : result.warnings) claim(warning.find('\n') == std::string::npos, "a warning is one line");
  const std::string values = values_of(result.config);
  const config::LoadResult again = load(to_toml(result.config, {}), {});
  for (const config::Diagnostic& diagnostic : again.diagnostics)
    claim(false, "what was loaded can be written and loaded again: " + to_text(diagnostic));
  claim(values_of(again.config) == values, "loaded again it has the same values");
}

}  // namespace popsync::fuzz
