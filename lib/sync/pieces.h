// SPDX-License-Identifier: MIT
// Many changes of rows, made in transactions of bounded size: a listing may ask for a million, and one transaction of them all would fill memory, and
// the log of the database with it. Each change has to be good by itself, for a crash may leave a part of them. Between two pieces the disk is looked
// at.
#pragma once

#include <functional>
#include <optional>

#include "state/state_store.h"
#include "state/transaction.h"

namespace popsync::sync {

constexpr std::size_t kChangesOfAPieceMax = 1000;  // some MiB of log, where each row has the longest unique-id; some milliseconds on a usual disk

class Pieces {
 public:
  // `look` is called before each piece, outside of a transaction; it throws disk_full where there is no room for one.
  Pieces(state::StateStore& store, std::function<void()> look) : store_(store), look_(std::move(look)) {}

  // The transaction for one more change.
  state::Transaction& next();
  // Call it at the end; what was not committed is not done.
  void commit();

 private:
  state::StateStore& store_;
  std::function<void()> look_;
  std::optional<state::Transaction> piece_;
  std::size_t changes_ = 0;
};

}  // namespace popsync::sync
