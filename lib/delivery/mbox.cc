// SPDX-License-Identifier: MIT
#include "delivery/mbox.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/log.h"
#include "base/random.h"
#include "delivery/maildir_name.h"

namespace popsync::delivery {
namespace {

constexpr std::string_view kBeginning = "From ";
constexpr const char* kStagingFolder = "staging";  // below the state directory
constexpr std::size_t kPieceOctets = 256UL * 1024;
constexpr std::uint32_t kEverybodyMayWrite = 0002;

[[noreturn]] void no_mbox(const std::string& path) {
  throw Error(ErrorCode::mailstore_unavailable, escaped(path) + " is no mbox: it does not begin with a line \"From \"",
              "name a file that does not exist yet, or an mbox");
}

[[noreturn]] void no_plain_file(const std::string& path) {
  throw Error(ErrorCode::mailstore_unavailable, escaped(path) + " is no ordinary file of one name",
              "name the file itself, not a link to it; an mbox with a second name cannot be locked");
}

bool plain(const FileStat& found) { return found.is_regular && found.links == 1; }

// Whoever may write there can put another file in the place of the mbox, and nobody but its owner can put that right.
void refuse_unsafe_folder(const FileStat& folder, const std::string& path) {
  constexpr std::uint32_t kSticky = 01000;
  if (folder.owner == ::geteuid() || (folder.mode & kEverybodyMayWrite) == 0 || (folder.mode & kSticky) != 0) return;
  const std::string name = escaped(folder_of(path));
  throw Error(ErrorCode::mailstore_unavailable, "the folder " + name + " of the mbox belongs to another user and others may write to it",
              "use a folder of your own, or let only owners remove files there (chmod +t " + name + ")");
}

// A group may write to it: of /var/mail, files are USER:mail 0660.
void refuse_unsafe_file(const FileStat& file, const std::string& path) {
  const std::string name = escaped(path);
  if (file.owner != ::geteuid() && file.owner != 0) {
    throw Error(ErrorCode::mailstore_unavailable, "the mbox " + name + " belongs to another user (" + std::to_string(file.owner) + ")",
                "popsync runs as user " + std::to_string(::geteuid()) +
                    ", and the mbox must be that user's or root's: change its owner (chown), or name another file");
  }
  if ((file.mode & kEverybodyMayWrite) != 0) {
    throw Error(ErrorCode::mailstore_unavailable, "everybody may write to the mbox " + name, "chmod o-w " + name);
  }
}

// Looks at the file by its name. It counts once the file is open (try_lock).
void refuse_unsafe_in(Fs& fs, int folder, const std::string& path) {
  refuse_unsafe_folder(fs.stat_open(folder), path);
  if (const auto file = fs.stat(folder, last_part(path)); file && plain(*file)) refuse_unsafe_file(*file, path);
}

// The state directory is there and durable before it has an account.
UniqueFd make_staging(Fs& fs, const MboxPlace& place) {
  const auto state = fs.open_root(place.state_directory);
  if (!state) throw Error(ErrorCode::state_unavailable, "the state directory " + escaped(place.state_directory) + " is gone", "is the disk mounted?");
  const UniqueFd staging = make_folder(fs, state->get(), kStagingFolder);
  return make_folder(fs, staging.get(), place.account_id);
}

UniqueFd open_staging(Fs& fs, const MboxPlace& place) {
  if (auto found = fs.open_root(place.state_directory + "/" + kStagingFolder + "/" + place.account_id)) return std::move(*found);
  return make_staging(fs, place);
}

// The kernel tells of a failed sync once, and what was written is in doubt for good, also when the cause is a full disk: io_error in any case.
template <typename Work>
void doubt_if_it_fails(Work&& sync_work) {
  try {
    sync_work();
  } catch (const Error& error) {
    throw Error(ErrorCode::io_error, error.what(), error.hint());
  }
}

UniqueFd need_staged(Fs& fs, StagingFolder& staging, const std::string& name) {
  auto staged = fs.open(staging.dir(), name);
  if (!staged)
    throw Error(ErrorCode::io_error, "a staged file vanished before it was published: " + name, "does a cleaner empty the state directory?");
  return std::move(*staged);
}

void scan_file(Fs& fs, int fd, MboxScanner& scanner) {
  std::uint64_t offset = 0;
  for (std::string part = fs.read_at(fd, offset, kPieceOctets); !part.empty(); part = fs.read_at(fd, offset, kPieceOctets)) {
    scanner.update(part);
    offset += part.size();
  }
  scanner.finish();
}

}  // namespace

MboxCondition inspect_mbox(Fs& fs, const std::string& path) {
  const auto folder = fs.open_root(folder_of(path));
  if (!folder) return MboxCondition::no_folder;
  const auto found = fs.stat(folder->get(), last_part(path));
  if (!found) return MboxCondition::absent;
  if (!plain(*found)) return MboxCondition::other;
  if (found->size == 0) return MboxCondition::empty;
  const auto file = fs.open(folder->get(), last_part(path));
  return file && fs.read(file->get(), kBeginning.size()) == kBeginning ? MboxCondition::mbox : MboxCondition::other;
}

bool holds_marked_entry(Fs& fs, const std::string& path) {
  const auto folder = fs.open_root(folder_of(path));
  const auto file = folder ? fs.open(folder->get(), last_part(path)) : std::nullopt;
  if (!file) return false;
  bool found = false;
  MboxScanner scanner([&](const MboxEntry& entry) { found = found || !token_in(entry.marker).empty(); });
  std::uint64_t offset = 0;
  for (std::string part = fs.read_at(file->get(), offset, kPieceOctets); !part.empty() && !found;
       part = fs.read_at(file->get(), offset, kPieceOctets)) {
    scanner.update(part);
    offset += part.size();
  }
  if (!found) scanner.finish();
  return found;
}

bool dot_lock_possible(Fs& fs, const std::string& path) {
  const auto folder = fs.open_root(folder_of(path));
  return !folder || can_dot_lock(folder->get());
}

void refuse_unsuitable(const std::string& path, MboxCondition found) {
  if (found == MboxCondition::other) {
    throw Error(ErrorCode::mailstore_unavailable, escaped(path) + " is no mbox: it is no ordinary file that begins with a line \"From \"",
                "name a file that does not exist yet, or an mbox, and not a link to one");
  }
}

void refuse_unsafe(Fs& fs, const std::string& path) {
  if (const auto folder = fs.open_root(folder_of(path))) refuse_unsafe_in(fs, folder->get(), path);
}

std::string make_marker(std::string_view token) { return to_hex(random_octets(8)) + "_" + std::string(token); }

Mbox Mbox::make(Fs& fs, MboxPlace place) {
  UniqueFd folder = make_path(fs, folder_of(place.path));
  refuse_unsafe_in(fs, folder.get(), place.path);
  refuse_unsuitable(place.path, inspect_mbox(fs, place.path));
  UniqueFd staging = make_staging(fs, place);
  return {fs, std::move(place), std::move(folder), std::move(staging)};
}

Mbox Mbox::open(Fs& fs, MboxPlace place) {
  auto folder = fs.open_root(folder_of(place.path));
  if (!folder) {
    throw Error(ErrorCode::mailstore_unavailable, "mailstore is gone: there is no folder " + escaped(folder_of(place.path)),
                "is the disk mounted? If meant: `popsync accept " + place.account_name + "`");
  }
  refuse_unsafe_in(fs, folder->get(), place.path);
  UniqueFd staging = open_staging(fs, place);
  return {fs, std::move(place), std::move(*folder), std::move(staging)};
}

Mbox Mbox::of_account(const std::string& account_id) const {
  MboxPlace place = place_;
  place.account_id = account_id;
  return open(fs_, std::move(place));
}

Mbox::Mbox(Fs& fs, MboxPlace place, UniqueFd folder, UniqueFd staging)
    : fs_(fs), place_(std::move(place)), name_(last_part(place_.path)), folder_(std::move(folder)), staging_(fs, std::move(staging)) {}

LockedMbox Mbox::lock(const StopSignal& stop) {
  constexpr std::chrono::milliseconds kPauseMin{50};
  constexpr std::uint64_t kPauseSpread = 200;  // random: two that collided must not meet again
  std::chrono::milliseconds waited{0};
  while (true) {
    if (auto locked = try_lock()) return std::move(*locked);
    if (stop.stopped()) throw Error(ErrorCode::interrupted, "stopped while another program kept " + escaped(place_.path) + " locked");
    if (waited >= place_.lock_wait) break;
    const auto pause = kPauseMin + std::chrono::milliseconds(random_u64() % kPauseSpread);
    pollfd wake{.fd = stop.fd(), .events = POLLIN, .revents = 0};
    ::poll(&wake, 1, static_cast<int>(pause.count()));
    waited += pause;
  }
  throw Error(ErrorCode::lock_held, "another program keeps " + escaped(place_.path) + " locked",
              "does a mail reader have it open? A lock left by a dead program is the file " + escaped(place_.path) + ".lock");
}

// Empty if another holds a lock, or if the path leads to another file by now: a reader has put a new one in its place.
std::optional<LockedMbox> Mbox::try_lock() {
  if (const auto there = fs_.stat(folder_.get(), name_); there && !plain(*there)) no_plain_file(place_.path);
  UniqueFd fd = open_file();
  auto lock = MboxLock::try_take(fd.get(), folder_.get(), place_.path, place_.locks, fs_);
  if (!lock) return std::nullopt;
  const FileStat opened = fs_.stat_open(fd.get());
  const auto there = fs_.stat(folder_.get(), name_);
  if (!there || there->device != opened.device || there->inode != opened.inode) return std::nullopt;
  if (!plain(opened)) no_plain_file(place_.path);
  refuse_unsafe_file(opened, place_.path);
  return std::make_optional<LockedMbox>(fs_, folder_.get(), staging_, place_.path, std::move(fd), std::move(*lock));
}

UniqueFd Mbox::open_file() {
  if (place_.make_file) return fs_.open_append(folder_.get(), name_);
  auto fd = fs_.reopen_append(folder_.get(), name_);
  if (!fd) throw Error(ErrorCode::mailstore_unavailable, escaped(place_.path) + " was taken away while it was opened", "the next sync looks again");
  return std::move(*fd);
}

bool Mbox::scan(MboxScanner& scanner) {
  const auto file = fs_.open(folder_.get(), name_);
  if (!file) return false;
  scan_file(fs_, file->get(), scanner);
  return true;
}

LockedMbox::LockedMbox(Fs& fs, int folder, StagingFolder& staging, std::string path, UniqueFd fd, MboxLock lock)
    : fs_(fs), folder_(folder), staging_(staging), path_(std::move(path)), fd_(std::move(fd)), lock_(std::move(lock)) {}

std::uint64_t LockedMbox::size() { return fs_.stat_open(fd_.get()).size; }

std::string LockedMbox::padding() {
  const std::uint64_t end = size();
  if (end == 0) return "";
  if (fs_.read_at(fd_.get(), 0, kBeginning.size()) != kBeginning) no_mbox(path_);
  const std::string last = fs_.read_at(fd_.get(), end - 2, 2);
  if (last == "\n\n") return "";
  return last.ends_with('\n') ? "\n" : "\n\n";
}

EntryPrint LockedMbox::print_of_staged(const std::string& padding, const std::string& name) {
  const UniqueFd staged = need_staged(fs_, staging_, name);
  EntryPrint print{.length = padding.size(), .sha256 = {}};
  Sha256 digest;
  digest.update(padding);
  for (std::string part = fs_.read(staged.get(), kPieceOctets); !part.empty(); part = fs_.read(staged.get(), kPieceOctets)) {
    digest.update(part);
    print.length += part.size();
  }
  print.sha256 = digest.finish();
  return print;
}

void LockedMbox::append(const std::string& padding, std::span<const std::string> names) {
  const std::uint64_t offset = size();
  try {
    write(padding, names);
  } catch (const Error&) {
    take_back(offset, padding, names);
    throw;
  }
  make_durable();
  fs_.mark_unread(fd_.get());
}

void LockedMbox::take_back(std::uint64_t offset, const std::string& padding, std::span<const std::string> names) {
  try {
    if (ends_torn_in(offset, padding, names)) cut(offset);
  } catch (const Error& error) {
    // The kernel tells of a failed sync once: were it dropped here, what was written before would be taken for proven.
    if (error.code() == ErrorCode::io_error) throw;
    log_warning("", std::string("part of a message stays at the end of the mbox until recovery removes it: ") + error.what());
  }
}

void LockedMbox::write(const std::string& padding, std::span<const std::string> names) {
  std::string buffer = padding;
  for (const std::string& name : names) {
    const UniqueFd staged = need_staged(fs_, staging_, name);
    for (std::string part = fs_.read(staged.get(), kPieceOctets); !part.empty(); part = fs_.read(staged.get(), kPieceOctets)) {
      buffer += part;
      if (buffer.size() < kPieceOctets) continue;
      fs_.write(fd_.get(), buffer);
      buffer.clear();
    }
  }
  if (!buffer.empty()) fs_.write(fd_.get(), buffer);
}

void LockedMbox::make_durable() {
  doubt_if_it_fails([this] {
    fs_.sync_file(fd_.get());
    fs_.sync_directory(folder_);
    fs_.complete_syncs(fd_.get());  // a file that is mounted in the place of its name lies on another file system than its folder
  });
}

std::optional<std::string> LockedMbox::sha256_of(std::uint64_t offset, std::uint64_t length) {
  Sha256 digest;
  while (length > 0) {
    const std::string part = fs_.read_at(fd_.get(), offset, static_cast<std::size_t>(std::min<std::uint64_t>(length, kPieceOctets)));
    if (part.empty()) return std::nullopt;
    digest.update(part);
    offset += part.size();
    length -= part.size();
  }
  return digest.finish();
}

bool LockedMbox::is_at_line(std::uint64_t offset) { return offset == 0 || fs_.read_at(fd_.get(), offset - 1, 2).find('\n') != std::string::npos; }

bool LockedMbox::ends_torn_in(std::uint64_t offset, const std::string& padding, std::span<const std::string> names) {
  const std::uint64_t end = size();
  if (end <= offset) return false;
  if (!is_ours_or_zero(offset, padding, end)) return false;
  offset += padding.size();
  for (const std::string& name : names) {
    if (offset >= end) return true;
    const UniqueFd staged = need_staged(fs_, staging_, name);
    for (std::string part = fs_.read(staged.get(), kPieceOctets); !part.empty(); part = fs_.read(staged.get(), kPieceOctets)) {
      if (!is_ours_or_zero(offset, part, end)) return false;
      offset += part.size();
    }
  }
  return offset >= end;
}

// As far as the file goes.
bool LockedMbox::is_ours_or_zero(std::uint64_t offset, std::string_view ours, std::uint64_t size) {
  if (offset >= size) return true;
  ours = ours.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(ours.size(), size - offset)));
  while (!ours.empty()) {
    const std::string there = fs_.read_at(fd_.get(), offset, ours.size());
    if (there.empty()) return false;
    if (!std::ranges::equal(there, ours.substr(0, there.size()), [](char in_file, char in_entry) { return in_file == in_entry || in_file == '\0'; }))
      return false;
    offset += there.size();
    ours.remove_prefix(there.size());
  }
  return true;
}

void LockedMbox::cut(std::uint64_t offset) {
  fs_.truncate(fd_.get(), offset);
  doubt_if_it_fails([this] { fs_.sync_file(fd_.get()); });
}

void LockedMbox::scan(MboxScanner& scanner) { scan_file(fs_, fd_.get(), scanner); }

}  // namespace popsync::delivery
