// SPDX-License-Identifier: MIT
// A folder of its own for a test's configuration files, removed at the end.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace popsync::config {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "popsync-config-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }
  // 0600, unless told otherwise: a file with a password must be no more.
  std::string write(const std::string& name, std::string_view content, mode_t mode = 0600) {
    const std::string file = path_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }

 private:
  std::string path_;
};

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream input(file, std::ios::binary);
  EXPECT_TRUE(input) << file;
  std::ostringstream content;
  content << input.rdbuf();
  return content.str();
}

}  // namespace popsync::config
