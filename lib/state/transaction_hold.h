// SPDX-License-Identifier: MIT
// What a Transaction holds from begin to end: the store's mutex, the turn to commit, and the one way to run a statement. Private to lib/state.
#pragma once

#include <mutex>

#include "state/state_store_impl.h"
#include "state/transaction.h"

namespace popsync::state {

struct Transaction::Hold {
  explicit Hold(StateStore::Impl& store) : impl(store), mutex(store.mutex), commits(store.lock_commits()) {}

  template <typename Work>
  void run(const char* sql, Work&& bind) {
    guarded([&] {
      SQLite::Statement& row = impl.statement(sql);
      bind(row);
      row.exec();
    });
  }

  StateStore::Impl& impl;
  std::unique_lock<std::mutex> mutex;
  FileLock commits;
  bool open = true;
  std::optional<ClockRow> clock;  // the newest one, once somebody has asked
};

}  // namespace popsync::state
