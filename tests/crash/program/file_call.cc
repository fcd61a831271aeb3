// SPDX-License-Identifier: MIT
#include "file_call.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace popsync::test {

namespace {

// What the first arguments are. Of two paths the first decides: nothing is renamed or linked into our folders from outside.
enum class Form { descriptor, lock, path, folder_and_path };

struct Known {
  long number;
  const char* name;
  Form form;
};

// Old calls that newer architectures lack are here by their number's name where there is one.
constexpr Known kKnown[] = {
    {SYS_openat, "openat", Form::folder_and_path},
    {SYS_openat2, "openat2", Form::folder_and_path},
    {SYS_mkdirat, "mkdirat", Form::folder_and_path},
    {SYS_unlinkat, "unlinkat", Form::folder_and_path},
    {SYS_renameat2, "renameat2", Form::folder_and_path},
    {SYS_linkat, "linkat", Form::folder_and_path},
    {SYS_fchmodat, "fchmodat", Form::folder_and_path},
    {SYS_fchownat, "fchownat", Form::folder_and_path},
    {SYS_utimensat, "utimensat", Form::folder_and_path},
    {SYS_truncate, "truncate", Form::path},
    {SYS_write, "write", Form::descriptor},
    {SYS_writev, "writev", Form::descriptor},
    {SYS_pwrite64, "pwrite64", Form::descriptor},
    {SYS_pwritev, "pwritev", Form::descriptor},
    {SYS_copy_file_range, "copy_file_range", Form::descriptor},
    {SYS_sendfile, "sendfile", Form::descriptor},
    {SYS_fallocate, "fallocate", Form::descriptor},
    {SYS_ftruncate, "ftruncate", Form::descriptor},
    {SYS_fsync, "fsync", Form::descriptor},
    {SYS_fdatasync, "fdatasync", Form::descriptor},
    {SYS_syncfs, "syncfs", Form::descriptor},
    {SYS_fchmod, "fchmod", Form::descriptor},
    {SYS_fchown, "fchown", Form::descriptor},
    {SYS_flock, "flock", Form::descriptor},
    {SYS_fcntl, "fcntl", Form::lock},
    {SYS_close, "close", Form::descriptor},
#ifdef SYS_renameat
    {SYS_renameat, "renameat", Form::folder_and_path},
#endif
#ifdef SYS_open
    {SYS_open, "open", Form::path},
    {SYS_creat, "creat", Form::path},
    {SYS_mkdir, "mkdir", Form::path},
    {SYS_rmdir, "rmdir", Form::path},
    {SYS_unlink, "unlink", Form::path},
    {SYS_rename, "rename", Form::path},
    {SYS_link, "link", Form::path},
    {SYS_chmod, "chmod", Form::path},
#endif
};

std::string link_target(const std::string& link) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return length < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(length));
}

std::string path_of_descriptor(pid_t tid, std::uint64_t descriptor) {
  return link_target("/proc/" + std::to_string(tid) + "/fd/" + std::to_string(static_cast<int>(descriptor)));
}

// Page by page, since what lies behind the text may not be readable.
std::string text_at(pid_t tid, std::uint64_t address) {
  constexpr std::uint64_t kPage = 4096;
  std::string text;
  while (address != 0 && text.size() < PATH_MAX) {
    std::array<char, kPage> octets{};
    const iovec here{.iov_base = octets.data(), .iov_len = kPage - address % kPage};
    const iovec there{.iov_base = reinterpret_cast<void*>(address), .iov_len = here.iov_len};
    const ssize_t got = ::process_vm_readv(tid, &here, 1, &there, 1, 0);
    if (got <= 0) break;
    const std::size_t length = ::strnlen(octets.data(), static_cast<std::size_t>(got));
    text.append(octets.data(), length);
    if (length < static_cast<std::size_t>(got)) break;
    address += length;
  }
  return text;
}

std::string path_in(pid_t tid, std::uint64_t folder, const std::string& path) {
  if (path.starts_with('/')) return path;
  const std::string start =
      static_cast<int>(folder) == AT_FDCWD ? link_target("/proc/" + std::to_string(tid) + "/cwd") : path_of_descriptor(tid, folder);
  return path.empty() ? start : start + "/" + path;
}

bool sets_a_lock(std::uint64_t command) { return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW; }

std::string path_of(pid_t tid, Form form, const std::array<std::uint64_t, 6>& arguments) {
  switch (form) {
    case Form::lock:
    case Form::descriptor: return path_of_descriptor(tid, arguments[0]);
    case Form::path: return path_in(tid, static_cast<std::uint64_t>(AT_FDCWD), text_at(tid, arguments[0]));
    case Form::folder_and_path: return path_in(tid, arguments[0], text_at(tid, arguments[1]));
  }
  return "";
}

bool lies_below(const std::string& path, const std::vector<std::string>& folders) {
  return std::ranges::any_of(folders, [&](const std::string& folder) { return path == folder || path.starts_with(folder + "/"); });
}

}  // namespace

std::optional<FileCall> file_call(pid_t tid, std::uint64_t number, const std::array<std::uint64_t, 6>& arguments,
                                  const std::vector<std::string>& folders) {
  const auto* known = std::ranges::find(kKnown, static_cast<long>(number), &Known::number);
  if (known == std::end(kKnown)) return std::nullopt;
  if (known->form == Form::lock && !sets_a_lock(arguments[1])) return std::nullopt;
  std::string path = path_of(tid, known->form, arguments);
  if (!lies_below(path, folders)) return std::nullopt;
  return FileCall{.name = known->name, .path = std::move(path)};
}

}  // namespace popsync::test
