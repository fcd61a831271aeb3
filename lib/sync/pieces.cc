// SPDX-License-Identifier: MIT
#include "sync/pieces.h"

namespace popsync::sync {

state::Transaction& Pieces::next() {
  if (changes_ == kChangesOfAPieceMax) commit();
  if (!piece_) {
    look_();
    piece_.emplace(store_.begin());
  }
  ++changes_;
  return *piece_;
}

void Pieces::commit() {
  if (piece_) piece_->commit();
  piece_.reset();
  changes_ = 0;
}

}  // namespace popsync::sync
