// SPDX-License-Identifier: MIT
// The kernel's files, as a base for an Fs that fails in one call.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fs.h"

namespace popsync::test {

class ForwardingFs : public Fs {
 public:
  std::optional<UniqueFd> open_root(const std::string& path) override { return real_fs().open_root(path); }
  std::optional<UniqueFd> open_directory(int dir, const std::string& name) override { return real_fs().open_directory(dir, name); }
  bool make_directory(int dir, const std::string& name) override { return real_fs().make_directory(dir, name); }
  UniqueFd create(int dir, const std::string& name) override { return real_fs().create(dir, name); }
  std::optional<UniqueFd> open(int dir, const std::string& name) override { return real_fs().open(dir, name); }
  UniqueFd open_append(int dir, const std::string& name) override { return real_fs().open_append(dir, name); }
  std::optional<UniqueFd> reopen_append(int dir, const std::string& name) override { return real_fs().reopen_append(dir, name); }
  void write(int fd, std::string_view octets) override { real_fs().write(fd, octets); }
  std::string read(int fd, std::size_t octets_max) override { return real_fs().read(fd, octets_max); }
  std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) override { return real_fs().read_at(fd, offset, octets_max); }
  void truncate(int fd, std::uint64_t size) override { real_fs().truncate(fd, size); }
  void sync_file(int fd) override { real_fs().sync_file(fd); }
  bool sync_names(int dir) override { return real_fs().sync_names(dir); }
  void complete_syncs(int fd) override { real_fs().complete_syncs(fd); }
  bool lacks_journal(int fd) override { return real_fs().lacks_journal(fd); }
  void close(UniqueFd fd) override { real_fs().close(std::move(fd)); }
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    return real_fs().rename(from_dir, from, to_dir, to);
  }
  bool unlink(int dir, const std::string& name) override { return real_fs().unlink(dir, name); }
  bool remove_directory(int dir, const std::string& name) override { return real_fs().remove_directory(dir, name); }
  std::vector<std::string> list(int dir) override { return real_fs().list(dir); }
  std::optional<FileStat> stat(int dir, const std::string& name) override { return real_fs().stat(dir, name); }
  FileStat stat_open(int fd) override { return real_fs().stat_open(fd); }
  void mark_unread(int fd) override { real_fs().mark_unread(fd); }
  std::uint64_t free_octets(int dir) override { return real_fs().free_octets(dir); }
};

}  // namespace popsync::test
