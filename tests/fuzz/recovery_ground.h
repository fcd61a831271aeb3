// SPDX-License-Identifier: MIT
// What the harnesses of recovery share: a state and a folder that live as long as the process (opening a state costs more than a recovery), and an
// account in it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "state/state_store.h"
#include "state/transaction.h"
#include "support/temp_folder.h"

namespace popsync::fuzz {

struct RecoveryGround {
  explicit RecoveryGround(const std::string& name);

  test::TempFolder folder;
  std::unique_ptr<state::StateStore> store = state::StateStore::open(folder / "state");
};

// In the state as long as it lives, with all its rows.
class AccountForAWhile {
 public:
  explicit AccountForAWhile(state::StateStore& store);
  AccountForAWhile(const AccountForAWhile&) = delete;
  AccountForAWhile& operator=(const AccountForAWhile&) = delete;
  ~AccountForAWhile();

  [[nodiscard]] const state::AccountRow& row() const { return row_; }

 private:
  state::StateStore& store_;
  state::AccountRow row_;
};

// A STAGED row of `content`, as the publisher fills it in.
state::NewStaged staged_row(const std::string& account, const state::MailstoreRow& mailstore, const std::string& name, const std::string& content);

std::string content_of(const std::filesystem::path& path);

}  // namespace popsync::fuzz
