// SPDX-License-Identifier: MIT
#include "delivery/maildir.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/port.h"
#include "base/random.h"
#include "delivery/maildir_name.h"

namespace popsync::delivery {
namespace {

constexpr std::string_view kOurFolder = ".popsync";  // below tmp/
constexpr std::string_view kIdFile = "id";
constexpr std::string_view kCopySuffix = ".copy";  // without a row, so a crash leaves only what recovery removes
const std::array<std::string, 3> kFolders = {"tmp", "new", "cur"};

std::optional<MailstoreId> read_id(Fs& fs, int root) {
  const auto tmp = fs.open_directory(root, "tmp");
  const auto ours = tmp ? fs.open_directory(tmp->get(), std::string(kOurFolder)) : std::nullopt;
  const auto text = ours ? read_small_file(fs, ours->get(), std::string(kIdFile), kIdFileOctetsMax) : std::nullopt;
  if (!text) return std::nullopt;
  auto id = parse_mailstore_id(*text);
  if (!id)
    throw Error(ErrorCode::mailstore_unavailable, "the file tmp/.popsync/id is damaged",
                "put it back from a backup, or move it away and use `popsync accept ACCOUNT`");
  return id;
}

Inspection inspect_root(Fs& fs, int root, const std::string& install_key) {
  const std::vector<std::string> names = fs.list(root);
  const auto is_folder = [&](const std::string& name) { return std::ranges::count(names, name) > 0; };
  if (const auto id = read_id(fs, root)) {
    return {.condition = id->install_key == install_key ? MailstoreCondition::ours : MailstoreCondition::foreign,
            .id = id->id,
            .install_key = id->install_key,
            .accounts = id->accounts};
  }
  if (std::ranges::all_of(kFolders, is_folder)) return {.condition = MailstoreCondition::maildir, .id = {}};
  const bool only_parts = std::ranges::all_of(names, [](const std::string& name) { return std::ranges::count(kFolders, name) > 0; });
  return {.condition = only_parts ? MailstoreCondition::empty : MailstoreCondition::other, .id = {}};
}

// Mail in a folder that others may write to could be moved out from under us.
void refuse_shared_root(Fs& fs, int root, const std::string& path) {
  constexpr std::uint32_t kOthersMayWrite = 0022;
  const auto found = fs.stat(root, ".");
  if (found && found->owner != ::geteuid() && (found->mode & kOthersMayWrite) != 0) {
    throw Error(ErrorCode::mailstore_unavailable, "the Maildir " + escaped(path) + " belongs to another user and others may write to it",
                "use a folder of your own");
  }
}

[[noreturn]] void gone(const std::string& path, const std::string& account) {
  throw Error(ErrorCode::mailstore_unavailable, "mailstore is gone: " + escaped(path) + " is not the Maildir used before",
              "is the disk mounted? If meant: `popsync accept " + account + "`");
}

[[noreturn]] void foreign(const std::string& path, const std::string& account) {
  throw Error(ErrorCode::mailstore_foreign, "the Maildir " + escaped(path) + " is filled by another popsync state",
              "use that state (--state-dir DIR), or another folder; to take the Maildir over into this state: `popsync adopt " + account + "`");
}

void set_owner(MailstoreId& id, const MailstoreOwner& owner) {
  const MailstoreId::Account account{.id = owner.account_id, .user = owner.user, .host = owner.host, .port = owner.port};
  // An account of a lost database gives way: this one is its successor.
  std::erase_if(id.accounts, [&](const MailstoreId::Account& each) {
    return each.id != account.id && each.user == account.user && each.host == account.host && (each.port == 0 || same_port(each.port, account.port));
  });
  const auto known = std::ranges::find(id.accounts, owner.account_id, &MailstoreId::Account::id);
  if (known != id.accounts.end()) {
    *known = account;
  } else {
    id.accounts.push_back(account);
  }
}

// Of an account that has none there is nothing to say. A line without a port, which popsync 0.1.0 wrote, is right.
bool names_other_owner(const MailstoreId& id, const MailstoreOwner& owner) {
  const auto line = std::ranges::find(id.accounts, owner.account_id, &MailstoreId::Account::id);
  if (line == id.accounts.end()) return false;
  return line->user != owner.user || line->host != owner.host || (line->port != 0 && line->port != owner.port);
}

std::string staging_name(const std::string& install_key, const std::string& account_id) {
  return to_hex(sha256(install_key)).substr(0, 16) + "." + account_id;
}

// Of a Maildir that is open; whoever makes one syncs it.
UniqueFd open_or_make_staging(Fs& fs, int ours, const std::string& name) {
  if (auto found = fs.open_directory(ours, name)) return std::move(*found);
  return make_folder(fs, ours, name);
}

void drop_account(MailstoreId& id, const std::string& account_id) {
  std::erase_if(id.accounts, [&](const MailstoreId::Account& account) { return account.id == account_id; });
}

// Does nothing where the Maildir is not there or not of this state.
void change_id(Fs& fs, const std::string& path, const std::string& install_key, const std::function<void(MailstoreId&)>& change) {
  const auto root = fs.open_root(path);
  auto id = root ? read_id(fs, root->get()) : std::nullopt;
  if (!id || id->install_key != install_key) return;
  change(*id);
  const auto tmp = fs.open_directory(root->get(), "tmp");
  const auto ours = tmp ? fs.open_directory(tmp->get(), std::string(kOurFolder)) : std::nullopt;
  if (ours) replace_file(fs, ours->get(), std::string(kIdFile), format_mailstore_id(*id));
}

UniqueFd need_folder(Fs& fs, int parent, const std::string& name, const std::string& path, const std::string& account) {
  auto folder = fs.open_directory(parent, name);
  if (!folder) gone(path, account);
  return std::move(*folder);
}

}  // namespace

Inspection inspect(Fs& fs, const std::string& path, const std::string& install_key) {
  const auto root = fs.open_root(path);
  if (!root) return {};
  return inspect_root(fs, root->get(), install_key);
}

void refuse_unsuitable(const std::string& path, const Inspection& found, const std::string& account) {
  if (found.condition == MailstoreCondition::foreign) foreign(path, account);
  if (found.condition == MailstoreCondition::other) {
    throw Error(ErrorCode::mailstore_unavailable, escaped(path) + " holds files and is no Maildir",
                "name a folder that does not exist yet, or a Maildir");
  }
}

void forget_owner(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id) {
  change_id(fs, path, install_key, [&](MailstoreId& found) { drop_account(found, account_id); });
}

void rename_owner(Fs& fs, const std::string& path, const MailstoreOwner& owner) {
  change_id(fs, path, owner.install_key, [&](MailstoreId& found) {
    if (names_other_owner(found, owner)) set_owner(found, owner);
  });
}

void take_over(Fs& fs, const std::string& path, const std::string& install_key, const std::string& id) {
  const UniqueFd root = make_path(fs, path);
  const UniqueFd tmp = make_folder(fs, root.get(), "tmp");
  const UniqueFd ours = make_folder(fs, tmp.get(), std::string(kOurFolder));
  replace_file(fs, ours.get(), std::string(kIdFile), format_mailstore_id({.id = id, .install_key = install_key, .accounts = {}}));
}

void give_new_id(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id, const std::string& id) {
  change_id(fs, path, install_key, [&](MailstoreId& found) {
    found.id = id;
    drop_account(found, account_id);
  });
}

bool in_use(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id) {
  const auto root = fs.open_root(path);
  const auto tmp = root ? fs.open_directory(root->get(), "tmp") : std::nullopt;
  const auto ours = tmp ? fs.open_directory(tmp->get(), std::string(kOurFolder)) : std::nullopt;
  auto staging = ours ? fs.open_directory(ours->get(), staging_name(install_key, account_id)) : std::nullopt;
  return staging && !StagingFolder(fs, std::move(*staging)).try_lock();
}

Maildir Maildir::make(Fs& fs, const std::string& path, const MailstoreOwner& owner) {
  const UniqueFd root = make_path(fs, path);
  refuse_shared_root(fs, root.get(), path);
  refuse_unsuitable(path, inspect_root(fs, root.get(), owner.install_key), owner.account_name);
  for (const std::string& folder : kFolders) make_folder(fs, root.get(), folder);
  const UniqueFd tmp = need_folder(fs, root.get(), "tmp", path, owner.account_name);
  const UniqueFd ours = make_folder(fs, tmp.get(), std::string(kOurFolder));
  MailstoreId id = read_id(fs, root.get()).value_or(MailstoreId{.id = to_hex(random_octets(16)), .install_key = owner.install_key, .accounts = {}});
  // Also where it says all this: who wrote it may have been killed before it was synced, or its sync may have failed.
  set_owner(id, owner);
  replace_file(fs, ours.get(), std::string(kIdFile), format_mailstore_id(id));
  make_folder(fs, ours.get(), staging_name(owner.install_key, owner.account_id));
  Maildir maildir = open_folders(fs, path, owner, root.get(), id.id);
  maildir.prove_rename(owner.account_id);
  return maildir;
}

Maildir Maildir::open(Fs& fs, const std::string& path, const MailstoreOwner& owner, const std::string& expected_id) {
  const auto root = fs.open_root(path);
  if (!root) gone(path, owner.account_name);
  const auto id = read_id(fs, root->get());
  if (id && id->install_key != owner.install_key) foreign(path, owner.account_name);
  if (!id || id->id != expected_id) gone(path, owner.account_name);
  refuse_shared_root(fs, root->get(), path);
  Maildir maildir = open_folders(fs, path, owner, root->get(), expected_id);
  maildir.owner_changed_ = names_other_owner(*id, owner);
  return maildir;
}

Maildir Maildir::open_folders(Fs& fs, const std::string& path, const MailstoreOwner& owner, int root, const std::string& id) {
  UniqueFd tmp = need_folder(fs, root, "tmp", path, owner.account_name);
  UniqueFd fresh = need_folder(fs, root, "new", path, owner.account_name);
  UniqueFd cur = need_folder(fs, root, "cur", path, owner.account_name);
  const UniqueFd ours = need_folder(fs, tmp.get(), std::string(kOurFolder), path, owner.account_name);
  UniqueFd staging = open_or_make_staging(fs, ours.get(), staging_name(owner.install_key, owner.account_id));
  return {fs, path, id, std::move(tmp), std::move(fresh), std::move(cur), std::move(staging)};
}

Maildir::Maildir(Fs& fs, std::string path, std::string id, UniqueFd tmp, UniqueFd fresh, UniqueFd cur, UniqueFd staging)
    : fs_(fs),
      path_(std::move(path)),
      id_(std::move(id)),
      tmp_(std::move(tmp)),
      new_(std::move(fresh)),
      cur_(std::move(cur)),
      staging_(fs, std::move(staging)) {}

// Equal device numbers do not promise that rename works (bind mounts); a rename does. Readers skip names that begin with a dot. A kill in between may
// leave the probe in any of the three folders; the Maildir is then made again, and the same name clears it away.
void Maildir::prove_rename(const std::string& account_id) {
  const std::string probe = ".popsync-probe." + account_id;
  fs_.unlink(staging_.dir(), probe);
  fs_.close(fs_.create(staging_.dir(), probe));
  for (const int dir : {new_.get(), cur_.get()}) {
    try {
      fs_.rename(staging_.dir(), probe, dir, probe);
    } catch (...) {
      fs_.unlink(staging_.dir(), probe);
      throw;
    }
    fs_.rename(dir, probe, staging_.dir(), probe);
  }
  fs_.unlink(staging_.dir(), probe);
}

bool Maildir::publish(const std::string& name) { return fs_.rename(staging_.dir(), name, new_.get(), name); }

void Maildir::sync_new() { fs_.sync_directory(new_.get()); }

void Maildir::sync_cur() { fs_.sync_directory(cur_.get()); }

std::unordered_map<std::string, Maildir::Place> Maildir::published_names(std::span<const std::string> wanted) {
  std::unordered_map<std::string, Place> places;
  const auto all_found = [&] { return std::ranges::all_of(wanted, [&](const std::string& name) { return places.contains(name); }); };
  for (int scan = 0; scan == 0 || (scan < kScansMax && !all_found()); ++scan) {
    add_names(places);
  }
  return places;
}

std::unordered_map<std::string, Maildir::Place> Maildir::every_name() {
  std::unordered_map<std::string, Place> places;
  add_names(places);
  add_names(places);
  return places;
}

void Maildir::add_names(std::unordered_map<std::string, Place>& places) {
  for (const int dir : {new_.get(), cur_.get()}) {  // new/ first: a reader moves files from there to cur/
    for (std::string& name : fs_.list(dir)) {
      std::string key(name_without_flags(name));
      places.insert_or_assign(std::move(key), Place{.dir = dir, .name = std::move(name)});
    }
  }
}

bool Maildir::same_file(const std::string& staged_name, const Place& place) {
  const auto staged = fs_.stat(staging_.dir(), staged_name);
  const auto published = fs_.stat(place.dir, place.name);
  if (!staged || !published) return false;
  if (staged->device == published->device && staged->inode == published->inode) return true;
  return staged->size == published->size && staging_.sha256_of(staged_name) == file_sha256(fs_, place.dir, place.name);
}

bool Maildir::renew_staged(const std::string& name, std::string_view sha256) {
  const std::string fresh = name + std::string(kCopySuffix);
  if (!staging_.copy(staging_.dir(), name, fresh, sha256)) return false;
  fs_.rename(staging_.dir(), fresh, staging_.dir(), name);
  return true;
}

// Not simply over the old one: a reader who renamed it meanwhile would then have two. Taking it away by rename shows whether it is still there, and
// the name it gets tells recovery what to do. It goes when the copy's name is durable: a power cut may undo the one and leave the other done.
Maildir::Renewal Maildir::renew_published(const std::string& name, const Place& place, std::string_view sha256) {
  const std::string fresh = name + std::string(kCopySuffix);
  if (!staging_.copy(place.dir, place.name, fresh, sha256)) return fs_.stat(place.dir, place.name) ? Renewal::damaged : Renewal::moved;
  if (!fs_.rename(place.dir, place.name, staging_.dir(), name)) {
    fs_.unlink(staging_.dir(), fresh);
    return Renewal::moved;
  }
  fs_.rename(staging_.dir(), fresh, place.dir, place.name);
  fs_.sync_directory(place.dir);
  fs_.unlink(staging_.dir(), name);
  return Renewal::done;
}

bool Maildir::can_sync() { return fs_.can_sync_directory(new_.get()); }

bool Maildir::shares_device(const std::string& path) { return same_device(fs_, new_.get(), path); }

std::uint64_t Maildir::free_octets() { return fs_.free_octets(new_.get()); }

}  // namespace popsync::delivery
