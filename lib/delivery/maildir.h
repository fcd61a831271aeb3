// SPDX-License-Identifier: MIT
// A Maildir as the target of one account: made on first use, recognised by its id afterwards, published into by rename. Every name below its root is
// reached through directory descriptors that follow no link. Errors: mailstore_unavailable (gone, no permission, no Maildir), mailstore_foreign
// (another state fills it, or its folders are on different file systems), and those of Fs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fs.h"
#include "delivery/mailstore_id.h"
#include "delivery/staging.h"

namespace popsync::delivery {

// Who fills it: this state and this account.
struct MailstoreOwner {
  std::string install_key;  // 32 octets
  std::string account_id;
  std::string account_name;  // for messages
  std::string user;
  std::string host;
  std::uint16_t port = 0;
};

enum class MailstoreCondition {
  absent,   // no such folder
  empty,    // a folder without names, or a Maildir that was being made when the power went
  maildir,  // tmp, new and cur, without an id of popsync
  ours,     // with an id of this state
  foreign,  // with an id of another state
  other,    // a folder of something else
};

struct Inspection {
  MailstoreCondition condition = MailstoreCondition::absent;
  std::string id;                // of ours and foreign
  std::string install_key = {};  // likewise: of the state that fills it
  std::vector<MailstoreId::Account> accounts = {};
};

// Looks without changing anything.
Inspection inspect(Fs& fs, const std::string& path, const std::string& install_key);

// Throws Error mailstore_foreign or mailstore_unavailable for what can never become this state's Maildir; `account` is for the hint.
void refuse_unsuitable(const std::string& path, const Inspection& found, const std::string& account);

constexpr int kScansMax = 4;

// The account has been forgotten: its line goes from the id file, if the Maildir is there and ours. The caller holds the lock of the id file.
void forget_owner(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id);

// The account has another user, host or port now: its line in the id file says so, if the Maildir is there and ours and has one. The caller holds the
// lock of the id file.
void rename_owner(Fs& fs, const std::string& path, const MailstoreOwner& owner);

// A Maildir without id, or with one of another state, which stops at it then, is this state's from now on: its id file has this id and no account
// yet. The caller holds the lock of the id file.
void take_over(Fs& fs, const std::string& path, const std::string& install_key, const std::string& id);

// A copy of a Maildir of this state is one of its own from now on, with this id, and new to the account. The caller holds the state's lock.
void give_new_id(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id, const std::string& id);

// A session of this account, under this state or a copy of it, is using the Maildir at this moment.
bool in_use(Fs& fs, const std::string& path, const std::string& install_key, const std::string& account_id);

class Maildir {
 public:
  // A path that is new to the account, or that the operator has accepted: makes what is missing and adds the account to the id file. Durable when it
  // returns: every folder made is synced with its parents. The caller holds the lock of the id file, so that two accounts do not write it at once.
  static Maildir make(Fs& fs, const std::string& path, const MailstoreOwner& owner);
  // A path the account has used before, with the id it had then. Makes nothing but the account's own staging folder.
  static Maildir open(Fs& fs, const std::string& path, const MailstoreOwner& owner, const std::string& expected_id);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // The id file names another user, host or port for the account: rename_owner() has not been called, or not to its end.
  [[nodiscard]] bool owner_changed() const { return owner_changed_; }
  StagingFolder& staging() { return staging_; }

  // rename(staging/name -> new/name). False if the name is not in staging any more.
  bool publish(const std::string& name);
  // Published names are durable in new/. The caller syncs staging after it, in this order: without a journal, the other order can leave a file in
  // neither.
  void sync_new();
  // Around moves from staging to new/ and their sync_new(): see Fs.
  [[nodiscard]] std::shared_ptr<void> hold_other_syncs() { return fs_.hold_other_syncs(new_.get()); }
  void sync_cur();

  struct Place {
    int dir;
    std::string name;  // with flags
  };
  // Every file in new/ and cur/ by the name popsync gave it. A file that a reader renames while a folder is read may be missed (readdir promises no
  // more), so as long as one of `wanted` is missing both folders are read again, kScansMax times at most.
  [[nodiscard]] std::unordered_map<std::string, Place> published_names(std::span<const std::string> wanted);
  // The same for all there is: both folders are read twice, for those that a reader renames meanwhile.
  [[nodiscard]] std::unordered_map<std::string, Place> every_name();
  // After a failed sync: the staged file becomes a fresh, synced copy of itself. False if it is gone or does not have this SHA-256.
  bool renew_staged(const std::string& name, std::string_view sha256);
  // The same for a published file; durable when it returns, but for what staging().sync() takes away. A reader who looks at that very moment may miss
  // it, and one who has moved it meanwhile keeps it. Interrupted, it is where it was, or in staging under `name`, or in both, equal.
  enum class Renewal { done, moved, damaged };
  Renewal renew_published(const std::string& name, const Place& place, std::string_view sha256);
  // False if the file system cannot sync folders: a power cut may undo what was published.
  [[nodiscard]] bool can_sync();
  // On the file system of `path`; false if there is nothing at `path`.
  [[nodiscard]] bool shares_device(const std::string& path);
  // Device and inode equal, or equal content.
  bool same_file(const std::string& staged_name, const Place& place);
  [[nodiscard]] std::uint64_t free_octets();

 private:
  Maildir(Fs& fs, std::string path, std::string id, UniqueFd tmp, UniqueFd fresh, UniqueFd cur, UniqueFd staging);
  static Maildir open_folders(Fs& fs, const std::string& path, const MailstoreOwner& owner, int root, const std::string& id);
  void prove_rename(const std::string& account_id);
  void add_names(std::unordered_map<std::string, Place>& places);

  Fs& fs_;
  std::string path_;
  std::string id_;
  bool owner_changed_ = false;
  UniqueFd tmp_;
  UniqueFd new_;
  UniqueFd cur_;
  StagingFolder staging_;
};

}  // namespace popsync::delivery
