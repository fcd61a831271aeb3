// SPDX-License-Identifier: MIT
#include "delivery/staging.h"

#include <sys/file.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace popsync::delivery {
namespace {

constexpr std::size_t kWriteOctets = 256U * 1024U;  // one write call for most messages, bounded memory for the rest
constexpr std::string_view kGenerationPrefix = "gen.";
constexpr const char* kNewGeneration = "gen.new";  // left by a crash it is a file without a row
constexpr const char* kTrusted = "trusted";
constexpr const char* kUnlearned = "unlearned";
constexpr const char* kProbe = "probe";

std::optional<std::uint64_t> generation_in(std::string_view name) {
  if (!name.starts_with(kGenerationPrefix)) return std::nullopt;
  name.remove_prefix(kGenerationPrefix.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return value;
}

std::string generation_name(std::uint64_t generation) { return std::string(kGenerationPrefix) + std::to_string(generation); }

}  // namespace

StagedMessage::StagedMessage(Fs& fs, int staging_dir, std::string name, std::string& buffer, std::optional<MboxEntryFormatter> entry)
    : fs_(fs), dir_(staging_dir), name_(std::move(name)), fd_(fs.create(staging_dir, name_)), formatter_(std::move(entry)), buffer_(buffer) {
  buffer_.clear();  // of a message that was given up
}

StagedMessage::~StagedMessage() {
  if (synced_.valid()) synced_.wait();  // the pool still holds the descriptor
  if (kept_) return;
  try {
    fs_.unlink(dir_, name_);
  } catch (const Error& error) {
    // Recovery removes what no row names; nothing is lost by the file staying until then.
    log_debug("", error.what());
  }
}

void StagedMessage::write(std::string_view wire_octets) {
  wire_octets_ += wire_octets.size();
  line_endings_.convert(wire_octets, buffer_);
  if (buffer_.size() >= kWriteOctets) flush();
}

void StagedMessage::finish() {
  line_endings_.finish(buffer_);
  flush();
  prints_ = printer_.finish();
  if (!formatter_) return;
  std::string end;
  formatter_->finish(end);
  put(end);
  entry_print_.sha256 = entry_digest_.finish();
  std::string().swap(formatted_);
}

void StagedMessage::flush() {
  if (buffer_.empty()) return;
  printer_.update(buffer_);
  if (formatter_) {
    formatted_.clear();
    formatter_->convert(buffer_, formatted_);
    put(formatted_);
  } else {
    fs_.write(fd_.get(), buffer_);
  }
  buffer_.clear();
}

void StagedMessage::put(std::string_view stored) {
  entry_digest_.update(stored);
  entry_print_.length += stored.size();
  if (!stored.empty()) fs_.write(fd_.get(), stored);
}

void StagedMessage::start_sync(SyncPool& pool) {
  synced_ = pool.submit([this] {
    fs_.sync_file(fd_.get());
    fs_.close(std::move(fd_));
  });
}

void StagedMessage::wait_synced() { synced_.get(); }

StagingFolder::StagingFolder(Fs& fs, UniqueFd dir) : fs_(fs), dir_(std::move(dir)) {}

std::unique_ptr<StagedMessage> StagingFolder::begin(std::string name) {
  return std::make_unique<StagedMessage>(fs_, dir_.get(), std::move(name), buffer_);
}

std::unique_ptr<StagedMessage> StagingFolder::begin_entry(std::string name, WallTime received) {
  MboxEntryFormatter formatter(name, received);
  return std::make_unique<StagedMessage>(fs_, dir_.get(), std::move(name), buffer_, std::move(formatter));
}

void StagingFolder::sync() { fs_.sync_directory(dir_.get()); }

std::vector<std::string> StagingFolder::names() {
  std::vector<std::string> names = fs_.list(dir_.get());
  std::erase_if(names, [](const std::string& name) { return generation_in(name).has_value() || name == kTrusted || name == kUnlearned; });
  return names;
}

std::optional<std::string> StagingFolder::sha256_of(const std::string& name) { return file_sha256(fs_, dir_.get(), name); }

bool StagingFolder::remove(const std::string& name) { return fs_.unlink(dir_.get(), name); }

std::optional<std::uint64_t> StagingFolder::generation() {
  std::optional<std::uint64_t> newest;
  for (const std::string& name : fs_.list(dir_.get())) {
    const auto found = generation_in(name);
    if (found && (!newest || *found > *newest)) newest = found;
  }
  return newest;
}

void StagingFolder::set_generation(std::uint64_t generation) {
  const auto current = this->generation();
  if (current && current != generation && fs_.rename(dir_.get(), generation_name(*current), dir_.get(), generation_name(generation))) return;
  // Also where it has this number already: what was to make that durable may have failed, and only a new name can be synced.
  fs_.unlink(dir_.get(), kNewGeneration);
  fs_.close(fs_.create(dir_.get(), kNewGeneration));
  fs_.rename(dir_.get(), kNewGeneration, dir_.get(), generation_name(generation));
}

void StagingFolder::distrust_disk() { fs_.unlink(dir_.get(), kTrusted); }

void StagingFolder::trust_disk() {
  if (!trusts_disk()) fs_.close(fs_.create(dir_.get(), kTrusted));
}

bool StagingFolder::trusts_disk() { return fs_.stat(dir_.get(), kTrusted).has_value(); }

void StagingFolder::mark_unlearned() {
  forget_unlearned();
  fs_.close(fs_.create(dir_.get(), kUnlearned));
}

void StagingFolder::forget_unlearned() { fs_.unlink(dir_.get(), kUnlearned); }

std::optional<std::int64_t> StagingFolder::unlearned_since() {
  const auto found = fs_.stat(dir_.get(), kUnlearned);
  return found ? std::optional(found->modified) : std::nullopt;
}

// Of the folder itself: it is there before anything is in it. A file system without such locks (NFS has none for folders) keeps nobody out.
bool StagingFolder::try_lock() {
  bool taken = false;
  fs_.beside(dir_.get(), [&] { taken = ::flock(dir_.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; });
  return taken;
}

bool StagingFolder::copy(int from_dir, const std::string& from, const std::string& to, std::string_view sha256) {
  const auto source = fs_.open(from_dir, from);
  if (!source) return false;
  fs_.unlink(dir_.get(), to);
  UniqueFd target = fs_.create(dir_.get(), to);
  try {
    Sha256 digest;
    for (std::string part = fs_.read(source->get(), kWriteOctets); !part.empty(); part = fs_.read(source->get(), kWriteOctets)) {
      digest.update(part);
      fs_.write(target.get(), part);
    }
    if (digest.finish() != sha256) {
      fs_.unlink(dir_.get(), to);
      return false;
    }
    fs_.sync_file(target.get());
    fs_.close(std::move(target));
    fs_.complete_syncs(dir_.get());  // before the copy takes the place of what it was made from
    return true;
  } catch (...) {
    fs_.unlink(dir_.get(), to);
    throw;
  }
}

void StagingFolder::prove_sync() {
  fs_.unlink(dir_.get(), kProbe);
  UniqueFd file = fs_.create(dir_.get(), kProbe);
  try {
    fs_.write(file.get(), "does the disk sync?\n");
    fs_.sync_file(file.get());
    fs_.close(std::move(file));
    fs_.sync_directory(dir_.get());
  } catch (...) {
    fs_.unlink(dir_.get(), kProbe);
    throw;
  }
  fs_.unlink(dir_.get(), kProbe);
}

std::optional<std::string> file_sha256(Fs& fs, int dir, const std::string& name) {
  const auto fd = fs.open(dir, name);
  if (!fd) return std::nullopt;
  Sha256 digest;
  for (std::string part = fs.read(fd->get(), kWriteOctets); !part.empty(); part = fs.read(fd->get(), kWriteOctets)) digest.update(part);
  return digest.finish();
}

}  // namespace popsync::delivery
