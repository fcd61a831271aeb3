// SPDX-License-Identifier: MIT
// A folder of its own for a test, under $TMPDIR (else testing::TempDir()). Removed at the end when the test is passing; kept, and its path printed,
// when it failed or POPSYNC_KEEP=1 is set.
#pragma once

#include <string>

namespace popsync::test {

class TempFolder {
 public:
  explicit TempFolder(const std::string& name = "popsync");
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  // Absolute, without a slash at the end, 0700.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Makes the folder `name` in it (with parents) and gives its path.
  [[nodiscard]] std::string make(const std::string& name) const;
  // Writes a file (0600) in it and gives its path.
  std::string write(const std::string& name, const std::string& octets) const;  // NOLINT(modernize-use-nodiscard): the path is often known
  [[nodiscard]] std::string read(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace popsync::test
