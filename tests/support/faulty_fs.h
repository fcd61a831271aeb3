// SPDX-License-Identifier: MIT
// The real file system on a Machine: every call is numbered and may fail or be the last. Nothing is really synced; what would be durable is
// accounted for in the machine's VolatileDisk instead, which makes a power cut possible and a run fast.
//
//   Machine machine({.kind = FaultKind::io_error, .step = 2, .only = [](CallKind call, std::string_view) { return call == CallKind::sync_directory;
//   }}); FaultyFs fs(machine);   // the second sync of a directory fails with io_error
#pragma once

#include <string>
#include <utility>

#include "base/fs.h"
#include "support/machine.h"

namespace popsync::test {

class FaultyFs : public Fs {
 public:
  explicit FaultyFs(Machine& machine) : machine_(machine) {}
  // From now on a call that is made while this lock file is locked ends the process (abort): a transaction is open, and every account would wait for
  // a file system that does not answer. For runs of one thread.
  void refuse_calls_under(std::string lock) { lock_ = std::move(lock); }

  std::optional<UniqueFd> open_root(const std::string& path) override;
  std::optional<UniqueFd> open_directory(int dir, const std::string& name) override;
  bool make_directory(int dir, const std::string& name) override;
  UniqueFd create(int dir, const std::string& name) override;
  std::optional<UniqueFd> open(int dir, const std::string& name) override;
  UniqueFd open_append(int dir, const std::string& name) override;
  std::optional<UniqueFd> reopen_append(int dir, const std::string& name) override;
  void write(int fd, std::string_view octets) override;
  std::string read(int fd, std::size_t octets_max) override;
  std::string read_at(int fd, std::uint64_t offset, std::size_t octets_max) override;
  void truncate(int fd, std::uint64_t size) override;
  void sync_file(int fd) override;
  bool sync_names(int dir) override;
  void complete_syncs(int fd) override;
  bool lacks_journal(int fd) override;
  void close(UniqueFd fd) override;
  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override;
  bool unlink(int dir, const std::string& name) override;
  bool remove_directory(int dir, const std::string& name) override;
  std::vector<std::string> list(int dir) override;
  std::optional<FileStat> stat(int dir, const std::string& name) override;
  FileStat stat_open(int fd) override;
  void mark_unread(int fd) override;
  std::uint64_t free_octets(int dir) override;

 private:
  // Throws the Error of a struck call.
  void pass(CallKind call, const std::string& what);

  Machine& machine_;
  std::string lock_;
};

}  // namespace popsync::test
