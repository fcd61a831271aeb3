// SPDX-License-Identifier: MIT
#include "support/temp_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "base/unique_fd.h"

namespace popsync::test {

namespace {

std::string parent_folder() {
  const char* from_environment = std::getenv("TMPDIR");
  const std::string parent = from_environment != nullptr && *from_environment != '\0' ? from_environment : testing::TempDir();
  return std::filesystem::canonical(parent).string();
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

TempFolder::TempFolder(const std::string& name) : path_(parent_folder() + "/" + name + ".XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder " + path_);
}

TempFolder::~TempFolder() {
  if (testing::Test::HasFailure() || is_set("POPSYNC_KEEP")) {
    std::cerr << "kept: " << path_ << '\n';
    return;
  }
  std::error_code ignored;
  // A test may have taken write permission from a folder to see what happens.
  for (auto entry = std::filesystem::recursive_directory_iterator(path_, std::filesystem::directory_options::skip_permission_denied, ignored);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(ignored)) {
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      std::filesystem::permissions(entry->path(), std::filesystem::perms::owner_all, std::filesystem::perm_options::add, ignored);
    }
  }
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::make(const std::string& name) const {
  const std::string path = *this / name;
  std::filesystem::create_directories(path);
  return path;
}

std::string TempFolder::write(const std::string& name, const std::string& octets) const {
  const std::string path = *this / name;
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid() || ::write(fd.get(), octets.data(), octets.size()) != static_cast<ssize_t>(octets.size())) {
    throw std::runtime_error("cannot write " + path);
  }
  return path;
}

std::string TempFolder::read(const std::string& name) const {
  std::ifstream file(*this / name, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + *this / name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace popsync::test
